//! The extractors, as axum knows them.

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Data, Principal};
use crate::layer::refuse;
use crate::session::{Error, Session};

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        let session = Self::of(&parts.extensions)?;
        session.load().await?;
        Ok(session)
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        let session = Session::of(&parts.extensions)?;
        Self::of(&session).await?.ok_or(Error::NobodySignedIn)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Principal {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Error> {
        Self::of(&Session::of(&parts.extensions)?).await
    }
}

impl<S, T> FromRequestParts<S> for Data<T>
where
    S: Sync,
    T: Serialize + DeserializeOwned + Default,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        Self::of(Session::of(&parts.extensions)?).await
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        refuse(&self)
    }
}
