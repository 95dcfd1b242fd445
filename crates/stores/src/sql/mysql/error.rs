//! How the database's failures become answers.

use cloakroom_core::store::{ErrorKind, StoreError};
use mysql_async::{DriverError, Error, IoError};

use crate::seal::damaged;

/// What a caller in this store does about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The server rolled the transaction back so that another one could go on; it may be tried again.
    Again,
    /// The connection, or the server behind it, is gone.
    Reconnect,
    /// Nothing.
    None,
}

/// The row is there already.
pub(super) fn is_duplicate(error: &Error) -> bool {
    matches!(error, Error::Server(error) if error.code == 1062)
}

pub(super) fn remedy(error: &Error) -> Remedy {
    match error {
        Error::Server(error) => match error.code {
            // Deadlock (a Galera node's conflict says the same), lock wait timeout.
            1213 | 1205 => Remedy::Again,
            // Shutting down, killed, or out of connections.
            1053 | 1077 | 1079 | 1317 | 1927 | 1040 | 3169 => Remedy::Reconnect,
            _ => Remedy::None,
        },
        Error::Io(_) | Error::Other(_) => Remedy::Reconnect,
        Error::Driver(error) => match error {
            DriverError::FromRow { .. } | DriverError::FromValue { .. } => Remedy::None,
            _ => Remedy::Reconnect,
        },
        Error::Url(_) => Remedy::None,
    }
}

/// A failure of the database while doing `what`.
pub(super) fn of_mysql(error: Error, what: &'static str) -> StoreError {
    match error {
        // Its debugging text would show what is stored.
        Error::Driver(DriverError::FromRow { .. } | DriverError::FromValue { .. }) => damaged(what),
        error => StoreError::new(kind(&error), what).because(error),
    }
}

fn kind(error: &Error) -> ErrorKind {
    let Error::Server(error) = error else {
        return match error {
            Error::Driver(DriverError::PacketTooLarge) => ErrorKind::Denied,
            Error::Io(error) if is_unproven(error) => ErrorKind::Denied,
            _ => ErrorKind::Unavailable,
        };
    };
    match error.code {
        // Wrong user, password, database, host or rights; read-only; a packet that is too large.
        1044 | 1045 | 1049 | 1130 | 1142 | 1143 | 1153 | 1227 | 1251 | 1290 | 1370 | 1524
        | 1698 | 1792 | 1836 | 1862 | 3118 | 3159 | 4151 => ErrorKind::Denied,
        // The disk or a table is full.
        1021 | 1114 => ErrorKind::Full,
        // A table, a file or an index is damaged.
        126 | 127 | 1033 | 1034 | 1035 | 1194 | 1195 | 1712 | 1877 => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    }
}

/// The server could not prove that it is the one that was meant.
fn is_unproven(error: &IoError) -> bool {
    match error {
        IoError::Tls(_) => true,
        IoError::Io(error) => error
            .get_ref()
            .and_then(|source| source.downcast_ref())
            .is_some_and(|error| matches!(error, rustls::Error::InvalidCertificate(_))),
    }
}

pub(super) fn unavailable(what: &'static str) -> StoreError {
    StoreError::new(ErrorKind::Unavailable, what)
}

#[cfg(test)]
mod tests {
    use mysql_async::ServerError;

    use super::*;

    #[test]
    fn each_failure_has_its_kind() {
        let kinds = [
            (1045, ErrorKind::Denied),
            (1290, ErrorKind::Denied),
            (1114, ErrorKind::Full),
            (1021, ErrorKind::Full),
            (1712, ErrorKind::Corrupt),
            (1040, ErrorKind::Unavailable),
            (1205, ErrorKind::Unavailable),
            (1213, ErrorKind::Unavailable),
            (2013, ErrorKind::Unavailable),
        ];
        for (code, wanted) in kinds {
            let error = Error::Server(ServerError {
                code,
                message: String::new(),
                state: "HY000".into(),
            });
            assert_eq!(of_mysql(error, "a test").kind(), wanted, "code {code}");
        }
    }
}
