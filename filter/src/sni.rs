//! The server name that a client asks for when it begins TLS.

use crate::{host::Host, policy::Asked};

/// Empty without TLS, and in TLS without a name. While a connection is new, only the listener filter `tls_inspector`
/// knows it; requests come after the handshake.
const SERVER_NAME: &str = "connection\0requested_server_name";

/// The server name of the connection, read only if it can change the verdict. `None` if there is none: rules that
/// want one then do not match.
pub(crate) fn server_name<H: Host>(host: &H, asked: &Asked) -> Option<Vec<u8>> {
    let name = if asked.inspects_tls() {
        host.property(SERVER_NAME).ok().flatten()
    } else {
        None
    };
    name.filter(|name| !name.is_empty())
}
