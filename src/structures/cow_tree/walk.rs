//! Walks over the leaves, in either direction.

use super::{End, Leaf, Link, Node, route};

/// Leaves in order, towards one end.
pub struct Leaves<'a, L: Leaf> {
    /// What is still to be visited, the nearest last.
    stack: Vec<&'a [Link<L>]>,
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
                leaves.stack.push(std::slice::from_ref(root));
            }
            return (leaves, 0);
        }
        let (mut link, mut at) = (root, at);
        while let Node::Inner(inner) = &link.node {
            let (index, within) = route(&inner.children, at);
            leaves.stack.push(match end {
                End::Front => &inner.children[..index],
                End::Back => &inner.children[index + 1..],
            });
            link = &inner.children[index];
            at = within;
        }
        leaves.stack.push(std::slice::from_ref(link));
        (leaves, at)
    }
}

impl<'a, L: Leaf> Iterator for Leaves<'a, L> {
    type Item = &'a L;

    fn next(&mut self) -> Option<&'a L> {
        loop {
            let links = self.stack.pop()?;
            let split = match self.end {
                End::Front => links.split_last(),
                End::Back => links.split_first(),
            };
            let Some((link, rest)) = split else { continue };
            self.stack.push(rest);
            match &link.node {
                Node::Leaf(leaf) => return Some(leaf),
                Node::Inner(inner) => self.stack.push(&inner.children),
            }
        }
    }
}
