//! Bounds of queues, buffers and loops, each with its unit and its reason.
