//! Flash messages: kept until they are shown once.

use std::sync::atomic::{AtomicU32, Ordering};

use cloakroom_core::data::JsonText;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Error, Session};

/// Names of messages begin so. Each has a name of its own, so that parallel requests do not overwrite each other's.
const PREFIX: &str = "_flash.";

impl Session {
    /// Keeps `message` for the next look, in this request or a later one.
    ///
    /// # Errors
    /// [`Error::Json`] where `message` has no JSON form.
    pub async fn flash<T: Serialize + ?Sized>(&self, message: &T) -> Result<(), Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let text = JsonText::of(message)?;
        // Ascending by time, then by count; the random end keeps two processes apart.
        let at = self.sessions().now().as_millis();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!(
            "{PREFIX}{at:013x}.{count:08x}.{:08x}",
            rand::random::<u32>()
        );
        self.edit(|edits| edits.set(name, text)).await;
        Ok(())
    }

    /// All messages, oldest first; they are gone with the response, unless that is a 5xx.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Json`] where a message is not a `T`, and none is taken then.
    pub async fn take_flashes<T: DeserializeOwned>(&self) -> Result<Vec<T>, Error> {
        let data = self.data().await?;
        let mut names = Vec::new();
        let mut messages = Vec::new();
        for (name, text) in data.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
            messages.push(serde_json::from_str(text)?);
            names.push(name);
        }
        self.edit(|edits| names.into_iter().for_each(|name| edits.remove(name)))
            .await;
        Ok(messages)
    }
}
