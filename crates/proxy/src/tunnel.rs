//! After a 101: bytes both ways, read by nobody, until both sides have ended.

use std::time::Duration;

use crate::body::{Sink, Source, pump};
use crate::error::Error;

/// Carries bytes both ways. Each side may end its direction and go on receiving (RFC 6455 7.1.1 and plain TCP know that
/// half-close).
pub(crate) async fn run(
    from_replica: &mut impl Source,
    to_replica: &mut impl Sink,
    from_client: &mut impl Source,
    to_client: &mut impl Sink,
    silence: Duration,
) {
    from_client.become_tunnel(silence);
    let up = async {
        pump(from_client, to_replica).await?;
        to_replica.finish();
        Ok::<_, Error>(())
    };
    let down = async {
        pump(from_replica, to_client).await?;
        to_client.finish();
        Ok::<_, Error>(())
    };
    if let Err(error) = tokio::try_join!(up, down) {
        tracing::debug!(%error, "a tunnel ended");
    }
}
