//! A name and a password, and whose they are.

use super::{
    Attempt, DeviceSecret, Directory, Error, Network, Person, Verdict, devices, first,
    hasher::Checked, password, person::Stored,
};
use cloakroom::core::store::Expected;
use std::time::Duration;
use zeroize::Zeroizing;

/// What became of an attempt to log in.
#[derive(Debug)]
pub enum Attempted {
    /// The person has proven himself.
    Proven(Box<Proven>),
    /// Wrong name, wrong password or disabled: outside nobody can tell which.
    Refused,
    /// Too many attempts; this long until the next one.
    Wait(Duration),
}

/// A person who has proven himself.
#[derive(Debug)]
pub struct Proven {
    /// Who.
    pub person: Person,
    /// What the device is known by from now on: for its cookie.
    pub device: DeviceSecret,
}

impl Directory {
    /// How long a device is remembered after its last login.
    pub const DEVICE_REMEMBERED_FOR: Duration = devices::REMEMBERED_FOR;

    /// Checks a name and a password that were typed at `network`, on the device that holds `device`.
    ///
    /// The revocation clock must have been read before (`Sessions::admitted`), so that a login which races with a
    /// change of password loses.
    ///
    /// # Errors
    /// [`Error::Busy`], [`Error::Registry`], [`Error::Damaged`].
    pub async fn prove(
        &self,
        name: &str,
        password: Zeroizing<String>,
        network: Network,
        device: Option<&DeviceSecret>,
    ) -> Result<Attempted, Error> {
        let found = self.load(name).await?;
        let now = self.0.sessions.now();
        let known = found
            .as_ref()
            .map_or(&[][..], |(stored, _)| &stored.devices);
        let attempt = Attempt {
            account: name,
            network,
            device: devices::find(known, device, self.shown_now()),
        };
        let ticket = match self.0.delays.lock().begin(&attempt, now) {
            Verdict::Go(ticket) => ticket,
            Verdict::Wait(wait) => return Ok(Attempted::Wait(wait)),
        };
        // No password is as long: not worth a hash, and it tells nothing about the name.
        if password.len() > password::LONGEST {
            return Ok(Attempted::Refused);
        }
        let hash = found.as_ref().map(|(stored, _)| stored.hash.as_str());
        let checked = self.0.hasher.check(password, hash).await?;
        let rehashed = match checked {
            Checked::Wrong => return Ok(Attempted::Refused),
            Checked::Right => None,
            Checked::RightRehashed(hash) => Some(hash),
        };
        let Some((stored, version)) = found.filter(|(stored, _)| !stored.disabled) else {
            return Ok(Attempted::Refused);
        };
        self.0.delays.lock().succeeded(&attempt, ticket, now);
        let secret = match attempt.device {
            Some(_) => device.cloned(),
            None => None,
        };
        let secret = secret.unwrap_or_else(DeviceSecret::make);
        self.note(name, &stored, version, rehashed, &secret).await?;
        first::forget_password(&self.0, name);
        Ok(Attempted::Proven(Box::new(Proven {
            person: stored.person(name)?,
            device: secret,
        })))
    }

    /// Checks the password of somebody who is signed in already.
    ///
    /// # Errors
    /// As [`Directory::prove`].
    pub async fn confirm(
        &self,
        name: &str,
        password: Zeroizing<String>,
        network: Network,
        device: Option<&DeviceSecret>,
    ) -> Result<Attempted, Error> {
        self.prove(name, password, network, device).await
    }

    /// Writes what the login has shown. Where another write came between, it is left for the next login.
    async fn note(
        &self,
        name: &str,
        stored: &Stored,
        version: u64,
        rehashed: Option<String>,
        secret: &DeviceSecret,
    ) -> Result<(), Error> {
        let devices = devices::note(&stored.devices, secret, self.shown_now());
        if rehashed.is_none() && devices.is_none() {
            return Ok(());
        }
        let mut next = stored.clone();
        next.hash = rehashed.unwrap_or(next.hash);
        next.devices = devices.unwrap_or(next.devices);
        self.put(name, Expected::Version(version), Some(&next))
            .await?;
        Ok(())
    }
}
