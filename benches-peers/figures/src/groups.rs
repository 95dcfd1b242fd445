//! What is measured, in groups that can be measured alone.

mod device;
mod inprocess;
mod library;
mod remote;
mod scale;
mod server;
mod stores;

use crate::Result;
use crate::options::Options;
use crate::results::{Results, Taken};

/// The stores outside the process that are measured over HTTP, as the tables call them.
pub(crate) use remote::NAMES as REMOTE;

/// A group of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// A request in this process: processor time, allocations, instructions.
    InProcess,
    /// The library over HTTP.
    Library,
    /// The server's endpoints over HTTP.
    Server,
    /// The same with ten thousand and with ten million sessions.
    Scale,
    /// Stores alone.
    Stores,
    /// The server on a small device.
    Device,
    /// Stores outside the process: beside the raw client, and over HTTP.
    Remote,
}

impl Group {
    pub(crate) const ALL: [Self; 7] = [
        Self::InProcess,
        Self::Library,
        Self::Server,
        Self::Scale,
        Self::Stores,
        Self::Device,
        Self::Remote,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::InProcess => "inprocess",
            Self::Library => "library",
            Self::Server => "server",
            Self::Scale => "scale",
            Self::Stores => "stores",
            Self::Device => "device",
            Self::Remote => "remote",
        }
    }

    /// Not part of a quick run.
    pub(crate) const fn is_long(self) -> bool {
        matches!(self, Self::Scale | Self::Stores | Self::Remote)
    }

    /// Takes the figures.
    pub(crate) fn measure(self, options: &Options, results: &mut Results) -> Result<()> {
        let quick = options.quick;
        match self {
            Self::InProcess => {
                results.inprocess = Some(Taken::now(quick, || inprocess::measure(options))?);
            }
            Self::Library => {
                results.library = Some(Taken::now(quick, || library::measure(options))?);
            }
            Self::Server => results.server = Some(Taken::now(quick, || server::measure(options))?),
            Self::Scale => results.scale = Some(Taken::now(quick, || scale::measure(options))?),
            Self::Stores => results.stores = Some(Taken::now(quick, || stores::measure(options))?),
            Self::Device => results.device = Some(Taken::now(quick, || device::measure(options))?),
            Self::Remote => results.remote = Some(Taken::now(quick, || remote::measure(options))?),
        }
        Ok(())
    }
}
