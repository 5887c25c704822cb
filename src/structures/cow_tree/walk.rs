//! Walks over the leaves, in either direction.

use super::{End, Leaf, Link, Node};

/// Leaves in order, towards one end.
pub struct Leaves<'a, L: Leaf> {
    /// What is still to be visited, the nearest last.
    stack: Vec<&'a [Node<L>]>,
    end: End,
}

impl<L: Leaf> std::fmt::Debug for Leaves<'_, L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leaves").field("end", &self.end).finish_non_exhaustive()
    }
}

impl<'a, L: Leaf> Leaves<'a, L> {
    /// Begins with the leaf that holds element number `at`.
    pub(super) fn new(root: Option<&'a Link<L>>, at: usize, end: End) -> (Self, usize) {
        let mut leaves = Self { stack: Vec::new(), end };
        let Some(root) = root else { return (leaves, 0) };
        if at >= root.weight {
            if end == End::Front {
                leaves.stack.push(std::slice::from_ref(&root.node));
            }
            return (leaves, 0);
        }
        let (mut node, mut at) = (&root.node, at);
        while let Node::Inner(inner) = node {
            let (index, within) = inner.route(at);
            leaves.stack.push(match end {
                End::Front => &inner.nodes()[..index],
                End::Back => &inner.nodes()[index + 1..],
            });
            node = &inner.nodes()[index];
            at = within;
        }
        leaves.stack.push(std::slice::from_ref(node));
        (leaves, at)
    }
}

impl<'a, L: Leaf> Iterator for Leaves<'a, L> {
    type Item = &'a L;

    fn next(&mut self) -> Option<&'a L> {
        loop {
            let nodes = self.stack.pop()?;
            let split = match self.end {
                End::Front => nodes.split_last(),
                End::Back => nodes.split_first(),
            };
            let Some((node, rest)) = split else { continue };
            self.stack.push(rest);
            match node {
                Node::Leaf(leaf) => return Some(leaf),
                Node::Inner(inner) => self.stack.push(inner.nodes()),
            }
        }
    }
}
