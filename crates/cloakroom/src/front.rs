//! How tokens travel to and from clients: cookie and transports (filled in with the layer).

/// Settings of the front door.
#[derive(Debug, Clone, Default)]
pub struct Front {}
