//! CLUSTER and its companions on a server that is not part of a cluster: known, and refused.

use crate::command::context::CmdResult;
use crate::command::spec::{
    ADMIN, Command, FAST, Group, LOADING, NO_ASYNC_LOADING, NOSCRIPT, STALE, at_least, block,
    exactly, integer, one_of, pure, text,
};
use crate::protocol::error::ReplyError;

use super::context::EngineCx;
use super::registry::EngineRun::{self, Container, Engine as Run};

/// Commands of this file.
pub(super) const COMMANDS: &[Command<EngineRun>] = &[
    Command::new("CLUSTER", at_least(2), Group::Cluster, Container)
        .doc("3.0.0", "Holds the commands about the cluster.", "Depends on subcommand.")
        .subcommands(&[
            Command::new("ADDSLOTS", at_least(3), Group::Cluster, Run(refuse))
                .flags(ADMIN.and(STALE).and(NO_ASYNC_LOADING))
                .args(&[integer("slot").repeated()])
                .doc("3.0.0", "Gives slots to this node.", "O(N) where N is the number of hash slot arguments"),
            Command::new("ADDSLOTSRANGE", at_least(4), Group::Cluster, Run(refuse))
                .flags(ADMIN.and(STALE).and(NO_ASYNC_LOADING))
                .args(&[block("range", &[integer("start-slot"), integer("end-slot")]).repeated()])
                .doc("7.0.0", "Gives ranges of slots to this node.", "O(N) where N is the number of hash slots between the start slot and end slot arguments"),
            Command::new("BUMPEPOCH", exactly(2), Group::Cluster, Run(refuse))
                .flags(ADMIN.and(STALE).and(NO_ASYNC_LOADING))
                .tips(&["nondeterministic_output"])
                .doc("3.0.0", "Raises the epoch of the cluster.", "O(1)"),
            Command::new("COUNT-FAILURE-REPORTS", exactly(3), Group::Cluster, Run(refuse))
                .flags(ADMIN.and(STALE))
                .args(&[text("node-id")])
                .tips(&["nondeterministic_output"])
                .doc("3.0.0", "Counts the nodes that report another as failing.", "O(N) where N is the number of failure reports"),
            Command::new("COUNTKEYSINSLOT", exactly(3), Group::Cluster, Run(refuse))
                .flags(STALE)
                .args(&[integer("slot")])
                .doc("3.0.0", "Counts the keys of a slot.", "O(1)"),
            Command::new("DELSLOTS", at_least(3), Group::Cluster, Run(refuse))
                .flags(ADMIN.and(STALE).and(NO_ASYNC_LOADING))
                .args(&[integer("slot").repeated()])
                .doc("3.0.0", "Takes slots from this node.", "O(N) where N is the number of hash slot arguments"),
            Command::new("DELSLOTSRANGE", at_least(4), Group::Cluster, Run(refuse))
                .flags(ADMIN.and(STALE).and(NO_ASYNC_LOADING))
                .args(&[block("range", &[integer("start-slot"), integer("end-slot")]).repeated()])
                .doc("7.0.0", "Takes ranges of slots from this node.", "O(N) where N is the number of hash slots between the start slot and end slot arguments"),
            Command::new("FAILOVER", at_least(2), Group::Cluster, Run(refuse))
                .flags(ADMIN.and(STALE).and(NO_ASYNC_LOADING))
                .args(&[one_of("options", &[pure("force", "FORCE"), pure("takeover", "TAKEOVER")]).optional()])
                .doc("3.0.0", "Makes this replica take over from its primary.", "O(1)"),
            Command::new("FLUSHSLOTS", exactly(2), Group::Cluster, Run(refuse))
                .flags(ADMIN.and(STALE).and(NO_ASYNC_LOADING))
                .doc("3.0.0", "Takes all slots from this node.", "O(1)"),
            Command::new("FORGET", exactly(3), Group::Cluster, Run(refuse))
                .flags(ADMIN.and(STALE).and(NO_ASYNC_LOADING))
                .args(&[text("node-id")])
                .doc("3.0.0", "Removes a node from the cluster.", "O(1)"),
            Command::new("GETKEYSINSLOT", exactly(4), Group::Cluster, Run(refuse))
                .flags(STALE)
                .args(&[integer("slot"), integer("count")])
                .tips(&["nondeterministic_output"])
                .doc("3.0.0", "Returns keys of a slot.", "O(N) where N is the number of requested keys"),
            Command::new("HELP", exactly(2), Group::Cluster, Run(refuse))
                .flags(LOADING.and(STALE))
                .doc("5.0.0", "Lists the subcommands.", "O(1)"),
            Command::new("INFO", exactly(2), Group::Cluster, Run(refuse))
                .flags(STALE)
                .tips(&["nondeterministic_output"])
                .doc("3.0.0", "Reports figures about the cluster.", "O(1)"),
            Command::new("KEYSLOT", exactly(3), Group::Cluster, Run(refuse))
                .flags(STALE)
                .args(&[text("key")])
                .doc("3.0.0", "Returns the slot of a key.", "O(N) where N is the number of bytes in the key"),
            Command::new("LINKS", exactly(2), Group::Cluster, Run(refuse))
                .flags(STALE)
                .tips(&["nondeterministic_output"])
                .doc("7.0.0", "Describes the links to other nodes.", "O(N) where N is the number of cluster nodes"),
            Command::new("MEET", at_least(4), Group::Cluster, Run(refuse))
                .flags(ADMIN.and(STALE).and(NO_ASYNC_LOADING))
                .args(&[text("ip"), integer("port"), integer("cluster-bus-port").optional().since("4.0.0")])
                .doc("3.0.0", "Introduces another node.", "O(1)"),
            Command::new("MYID", exactly(2), Group::Cluster, Run(refuse))
                .flags(STALE)
                .doc("3.0.0", "Returns the id of this node.", "O(1)"),
            Command::new("MYSHARDID", exactly(2), Group::Cluster, Run(refuse))
                .flags(STALE)
                .tips(&["nondeterministic_output"])
                .doc("7.2.0", "Returns the id of this node's shard.", "O(1)"),
            Command::new("NODES", exactly(2), Group::Cluster, Run(refuse))
                .flags(STALE)
                .tips(&["nondeterministic_output"])
                .doc("3.0.0", "Describes all nodes.", "O(N) where N is the number of cluster nodes"),
            Command::new("REPLICAS", exactly(3), Group::Cluster, Run(refuse))
                .flags(ADMIN.and(STALE))
                .args(&[text("node-id")])
                .tips(&["nondeterministic_output"])
                .doc("5.0.0", "Describes the replicas of a primary.", "O(N) where N is the number of replicas"),
            Command::new("REPLICATE", exactly(3), Group::Cluster, Run(refuse))
                .flags(ADMIN.and(STALE).and(NO_ASYNC_LOADING))
                .args(&[text("node-id")])
                .doc("3.0.0", "Makes this node a replica.", "O(1)"),
            Command::new("RESET", at_least(2), Group::Cluster, Run(refuse))
                .flags(ADMIN.and(NOSCRIPT).and(STALE))
                .args(&[one_of("reset-type", &[pure("hard", "HARD"), pure("soft", "SOFT")]).optional()])
                .doc("3.0.0", "Makes this node a new one.", "O(N) where N is the number of known nodes"),
            Command::new("SAVECONFIG", exactly(2), Group::Cluster, Run(refuse))
                .flags(ADMIN.and(STALE).and(NO_ASYNC_LOADING))
                .doc("3.0.0", "Writes the state of the cluster to disk.", "O(1)"),
            Command::new("SET-CONFIG-EPOCH", exactly(3), Group::Cluster, Run(refuse))
                .flags(ADMIN.and(STALE).and(NO_ASYNC_LOADING))
                .args(&[integer("config-epoch")])
                .doc("3.0.0", "Sets the epoch of a new node.", "O(1)"),
            Command::new("SETSLOT", at_least(4), Group::Cluster, Run(refuse))
                .flags(ADMIN.and(STALE).and(NO_ASYNC_LOADING))
                .args(&[integer("slot"), one_of("subcommand", &[text("importing").display("node-id").token("IMPORTING"), text("migrating").display("node-id").token("MIGRATING"), text("node").display("node-id").token("NODE"), pure("stable", "STABLE")])])
                .doc("3.0.0", "Changes what happens with a slot.", "O(1)"),
            Command::new("SHARDS", exactly(2), Group::Cluster, Run(refuse))
                .flags(LOADING.and(STALE))
                .tips(&["nondeterministic_output"])
                .doc("7.0.0", "Describes the shards.", "O(N) where N is the number of cluster nodes"),
            Command::new("SLAVES", exactly(3), Group::Cluster, Run(refuse))
                .flags(ADMIN.and(STALE))
                .args(&[text("node-id")])
                .tips(&["nondeterministic_output"])
                .deprecated("5.0.0", "`CLUSTER REPLICAS`")
                .doc("3.0.0", "Describes the replicas of a primary.", "O(N) where N is the number of replicas"),
            Command::new("SLOT-STATS", at_least(4), Group::Cluster, Run(refuse))
                .flags(LOADING.and(STALE))
                .args(&[one_of("filter", &[block("slotsrange", &[integer("start-slot"), integer("end-slot")]).token("SLOTSRANGE"), block("orderby", &[text("metric"), integer("limit").token("LIMIT").optional(), one_of("order", &[pure("asc", "ASC"), pure("desc", "DESC")]).optional()]).token("ORDERBY")])])
                .tips(&["nondeterministic_output", "request_policy:all_shards"])
                .doc("8.0.0", "Reports figures about slots.", "O(N) where N is the number of slots based on arguments"),
            Command::new("SLOTS", exactly(2), Group::Cluster, Run(refuse))
                .flags(LOADING.and(STALE))
                .tips(&["nondeterministic_output"])
                .deprecated("7.0.0", "`CLUSTER SHARDS`")
                .doc("3.0.0", "Describes who serves which slots.", "O(N) where N is the number of cluster nodes"),

        ]),
    Command::new("READONLY", exactly(1), Group::Cluster, Run(refuse))
        .flags(LOADING.and(STALE).and(FAST))
        .categories(&["connection"])
        .doc("3.0.0", "Lets the connection read from a replica of the cluster.", "O(1)"),
    Command::new("READWRITE", exactly(1), Group::Cluster, Run(refuse))
        .flags(LOADING.and(STALE).and(FAST))
        .categories(&["connection"])
        .doc("3.0.0", "Sends the connection's reads to the primary again.", "O(1)"),
    Command::new("ASKING", exactly(1), Group::Cluster, Run(refuse))
        .flags(FAST)
        .categories(&["connection"])
        .doc("3.0.0", "Lets the next command reach a slot that is being imported.", "O(1)"),
];

fn refuse(_: &mut EngineCx<'_>) -> CmdResult {
    Err(ReplyError::Fixed("ERR This instance has cluster support disabled"))
}
