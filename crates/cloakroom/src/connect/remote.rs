//! The stores outside this process, each a feature and a line of the table below.

use super::{Opened, StoreUrlError};
use cloakroom_core::StoreError;

/// Makes the table: which schemes a store has, and how it is opened. A scheme of a store that is not compiled in is
/// known all the same, so that the error can name the feature.
macro_rules! stores {
    ($( $feature:literal $variant:ident $schemes:pat => [$($at:ident)::+] $store:ident, $is:literal; )*) => {
        /// What was read from the URL of such a store.
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub(super) enum Remote {
            $(
                #[cfg(feature = $feature)]
                $variant(Box<cloakroom_stores::$($at)::+::Options>),
            )*
        }

        impl Remote {
            /// Reads the URL, if one of these stores has its scheme.
            pub(super) fn parse(scheme: &str, url: &str) -> Option<Result<Self, StoreUrlError>> {
                // Without any of the features nothing reads it.
                let _ = url;
                match scheme {
                    $(
                        #[cfg(feature = $feature)]
                        $schemes => Some(
                            cloakroom_stores::$($at)::+::Options::from_url(url)
                                .map(|options| Self::$variant(Box::new(options)))
                                .map_err(|error| StoreUrlError::Of { scheme: scheme.to_owned(), why: error.to_string().into() }),
                        ),
                        #[cfg(not(feature = $feature))]
                        $schemes => Some(Err(StoreUrlError::NotCompiledIn { scheme: scheme.to_owned(), feature: $feature })),
                    )*
                    _ => None,
                }
            }

            /// Connects, with `near` bytes of hot records near.
            pub(super) async fn connect(self, near: Option<usize>) -> Result<Opened, StoreError> {
                // Without any of the features nobody is near.
                let _ = near;
                match self {
                    $(
                        #[cfg(feature = $feature)]
                        Self::$variant(options) => {
                            let store = cloakroom_stores::$($at)::+::$store::connect(*options).await?;
                            Ok(Opened::far(store, $is.to_owned(), near))
                        }
                    )*
                }
            }
        }
    };
}

stores! {
    "files" Files "files" => [files] FilesStore, "on a shared file system";
    "postgres" Postgres "postgres" | "postgresql" => [sql::postgres] PostgresStore, "in PostgreSQL";
    "mysql" Mysql "mysql" | "mariadb" => [sql::mysql] MysqlStore, "in MySQL or MariaDB";
    "sqlite" Sqlite "sqlite" => [sql::sqlite] SqliteStore, "in SQLite";
    "redis" Redis "redis" | "rediss" | "redis-cluster" | "redis-sentinel" => [redis] RedisStore, "in Redis or Valkey";
}

/// The features of the stores that this release does not have yet.
pub(super) fn planned(scheme: &str) -> Option<&'static str> {
    Some(match scheme {
        "cluster" => "cluster",
        "sealed" => "sealed",
        _ => return None,
    })
}
