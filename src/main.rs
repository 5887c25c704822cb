//! `ochre-server`.
fn main() {}
