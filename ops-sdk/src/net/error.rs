//! What can go wrong between this process and a server, whatever they speak. The text is one an operator reads: it names
//! the host or the path, and never a header, a token or a query.

/// What kind of failure kept the answer from coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetErrorKind {
    /// The request itself is not one: a URI or header that cannot be sent, a datagram that is too long.
    Request,
    /// The host's name was not found.
    Resolve,
    /// No connection, or none through the proxy.
    Connect,
    /// The two sides did not agree on TLS; most often a certificate that is not trusted.
    Tls,
    /// It took too long. A request that was sent may have been acted on.
    Timeout {
        /// Whether the request had been sent; `None` where that is not known.
        sent: Option<bool>,
    },
    /// The connection broke, or what came over it was not what the two sides speak. The request may have been acted on.
    Io,
}

/// Why there is no answer. The text names the host and never a header, a token or a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct NetError {
    /// The kind of failure.
    pub kind: NetErrorKind,
    /// The failure as an operator reads it.
    pub text: String,
}
