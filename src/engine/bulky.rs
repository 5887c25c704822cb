//! `maxmemory-clients`: when all connections together take too much memory, the largest go.
//!
//! Clients are weighed where they grow: when bytes arrive, after their requests, when something is
//! pushed to them, and in the rounds of housekeeping. `client_bytes` is the sum of the weights.

use super::Engine;
use super::client::{ClientFlags, ClientKey};

impl Engine {
    /// Brings a client's share in the sum up to date. Only while there is a bound.
    pub(super) fn weigh(&mut self, key: ClientKey) {
        if self.client_bytes_max.is_none() {
            return;
        }
        let Some(client) = self.clients.get_mut(key) else { return };
        // One that is about to go holds nothing that another one's end would give back sooner.
        let is_going = client.flags.has(ClientFlags::CLOSE_ASAP);
        let weight = if is_going { 0 } else { client.memory_bytes() };
        self.client_bytes = self.client_bytes - client.weight + weight;
        client.weight = weight;
    }

    /// Ends the connections that take most until the rest is within the bound. O(clients) each.
    pub(super) fn drop_bulky(&mut self) {
        while self.client_bytes_max.is_some_and(|bound| self.client_bytes as u64 > bound) {
            let candidates = self.clients.iter().filter(|(_, client)| {
                client.weight > 0 && !client.flags.has(ClientFlags::NO_EVICT)
            });
            let Some((key, _)) = candidates.max_by_key(|(_, client)| client.weight) else { return };
            tracing::info!("Evicting client: {}", self.describe(key));
            self.stats.evicted_clients += 1;
            self.close(key, true);
            self.weigh(key);
        }
    }

    /// Weighs everybody anew after the bound was set.
    pub(super) fn weigh_all(&mut self) {
        for key in self.clients.keys_by_age() {
            self.weigh(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::Effect;
    use crate::engine::tests::Stage;

    #[test]
    fn the_largest_clients_go_first() {
        let mut stage = Stage::new(&[("maxmemory-clients", "100kb")]);
        let clients = [stage.connect(), stage.connect(), stage.connect()];
        for (client, kilobytes) in clients.iter().zip([60, 10, 20]) {
            stage.engine.count_received(*client, 1, kilobytes * 1024, 0, 0);
        }
        stage.engine.take_effects();
        stage.engine.count_received(clients[1], 1, 30 * 1024, 0, 0);
        assert_eq!(stage.engine.take_effects(), [Effect::Close(clients[0])]);
        stage.engine.disconnect(clients[0]);
        stage.check(clients[1], &[("CLIENT NO-EVICT ON", "+OK")]);
        stage.engine.count_received(clients[1], 1, 200 * 1024, 0, 0);
        assert_eq!(stage.engine.take_effects(), [Effect::Close(clients[2])]);
        stage.check(clients[1], &[("CONFIG SET maxmemory-clients 0", "+OK"), ("PING", "+PONG")]);
        assert!(stage.ask(clients[1], "INFO stats").contains("evicted_clients:2"));
    }
}
