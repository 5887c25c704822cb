//! Moving leaves and nodes to better places in memory.

use triomphe::Arc;

use super::node::{Inner, Node};
use super::{CowTree, Leaf};
use crate::structures::relocation::{IsMisplaced, Relocated, address_of};

impl<L: Leaf> CowTree<L> {
    /// Moves what `is_misplaced` says of the leaves under one node, from the one that holds element
    /// number `at` on, and of that node. Returns the number of the next element; 0 is the end.
    ///
    /// What a clone shares stays where it is: a copy would only add to it. O(log n) and at most
    /// `FANOUT` leaves.
    pub fn relocate(
        &mut self,
        at: usize,
        is_misplaced: IsMisplaced<'_>,
        done: &mut Relocated,
    ) -> usize {
        let Some(root) = self.root.as_mut().filter(|root| at < root.weight) else { return 0 };
        let weight = root.weight;
        let passed = pass(&mut root.node, weight, at, is_misplaced, done);
        if passed < weight { passed } else { 0 }
    }
}

/// Moves leaves below a node of this weight; the number of the first element behind them.
fn pass<L: Leaf>(
    node: &mut Node<L>,
    weight: usize,
    at: usize,
    is_misplaced: IsMisplaced<'_>,
    done: &mut Relocated,
) -> usize {
    let inner = match node {
        Node::Leaf(leaf) => {
            move_leaf(leaf, is_misplaced, done);
            return weight;
        }
        Node::Inner(inner) => inner,
    };
    let Some(own) = Arc::get_mut(inner) else { return weight };
    let (index, within) = own.route(at);
    if let Node::Inner(_) = own.nodes()[index] {
        let (before, weight) = (own.weight_before(index), own.weight_of(index));
        return before + pass(own.edge(index).node, weight, within, is_misplaced, done);
    }
    for index in index..own.len() {
        if let Node::Leaf(leaf) = own.edge(index).node {
            move_leaf(leaf, is_misplaced, done);
        }
    }
    let is_moved = own.addresses().into_iter().any(&mut *is_misplaced);
    if is_moved {
        *inner = Arc::new(Inner::clone(inner));
    }
    done.count(is_moved);
    weight
}

fn move_leaf<L: Leaf>(leaf: &mut Arc<L>, is_misplaced: IsMisplaced<'_>, done: &mut Relocated) {
    let is_moved =
        leaf.is_unique() && (is_misplaced(address_of(&**leaf)) || is_misplaced(leaf.address()));
    if is_moved {
        *leaf = Arc::new(leaf.moved());
    }
    done.count(is_moved);
}
