//! Output-buffer limits: a client that does not read is cut off before it hurts the others.

use crate::base::limits::UNTRUSTED_OUTPUT_MAX;

use super::Engine;
use super::client::{ClientFlags, ClientKey};
use super::client_line::ClientType;

impl Engine {
    /// Closes the client when its output is beyond the hard limit of its class, or beyond the soft
    /// one for too long.
    pub(super) fn check_output_limit(&mut self, key: ClientKey) {
        let now = self.now.monotonic;
        let Some(client) = self.clients.get_mut(key) else { return };
        let used = client.output_bytes() as u64;
        if used == 0 {
            client.soft_limit_since = None;
            return;
        }
        let limits = &self.config.client_output_buffer_limit;
        let limit = match client.client_type() {
            ClientType::Normal | ClientType::Primary => limits.normal,
            ClientType::Replica => limits.replica,
            ClientType::PubSub => limits.pubsub,
        };
        let is_stranger = !client.is_authenticated && used > UNTRUSTED_OUTPUT_MAX;
        let is_hard = is_stranger || (limit.hard != 0 && used >= limit.hard);
        let is_soft = limit.soft != 0 && used >= limit.soft;
        let is_overdue = if is_soft {
            let since = *client.soft_limit_since.get_or_insert(now);
            now.since(since) > limit.soft_seconds.saturating_mul(1_000_000)
        } else {
            client.soft_limit_since = None;
            false
        };
        if (is_hard || is_overdue) && !client.flags.has(ClientFlags::CLOSE_ASAP) {
            tracing::warn!(
                "Client {} scheduled to be closed ASAP for overcoming of output buffer limits.",
                self.describe(key)
            );
            self.stats.output_limit_closings += 1;
            if let Some(client) = self.clients.get_mut(key) {
                client.output.clear();
            }
            self.close(key, true);
        }
    }
}
