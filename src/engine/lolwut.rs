//! LOLWUT: layers of obsidian, drawn anew each time, and the version.

use crate::base::number::parse_int;
use crate::command::context::{CmdResult, Flow};
use crate::protocol::error::ReplyError;

use super::REDIS_VERSION;
use super::context::EngineCx;

/// Characters of a row.
const WIDTH: usize = 66;
/// Rows of a picture.
const HEIGHT: usize = 12;
/// Shades from the bottom of a layer to its edge.
const SHADES: [char; 5] = ['█', '▓', '▒', '░', ' '];

/// LOLWUT
pub(super) fn lolwut(cx: &mut EngineCx<'_>) -> CmdResult {
    if cx.args.accept("VERSION")
        && let Some(version) = cx.args.peek()
    {
        // There is one picture; which version of it is asked for must only be a number.
        parse_int(version).ok_or(ReplyError::NotInteger)?;
    }
    let mut text = picture(&mut cx.engine.rng);
    text.push_str("\nRedis ver. ");
    text.push_str(REDIS_VERSION);
    text.push_str(concat!(" (ochre ", env!("CARGO_PKG_VERSION"), ")\n"));
    cx.reply.verbatim(b"txt", text.as_bytes());
    Ok(Flow::Replied)
}

/// Three rolling layers of earth, each drifting by a random walk.
fn picture(rng: &mut fastrand::Rng) -> String {
    let layers: Vec<Vec<usize>> = (1..=3).map(|layer| edge(rng, layer * HEIGHT / 4)).collect();
    let mut text = String::with_capacity(WIDTH * HEIGHT * 3);
    for row in 0..HEIGHT {
        for column in 0..WIDTH {
            let covering = layers.iter().rposition(|edge| edge[column] <= row);
            let shade = match covering {
                None => ' ',
                Some(layer) => {
                    let depth = row - layers[layer][column];
                    let faded = (layers.len() - 1 - layer) + usize::from(depth == 0);
                    SHADES[faded.min(SHADES.len() - 1)]
                }
            };
            text.push(shade);
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

/// Height of a layer's upper edge per column, counted from the top.
fn edge(rng: &mut fastrand::Rng, start: usize) -> Vec<usize> {
    let mut height = start;
    let step = |_| {
        match rng.u8(0..6) {
            0 => height = height.saturating_sub(1),
            1 => height = (height + 1).min(HEIGHT - 1),
            _ => {}
        }
        height
    };
    (0..WIDTH).map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_have_a_frame_and_differ() {
        let one = picture(&mut fastrand::Rng::with_seed(1));
        let other = picture(&mut fastrand::Rng::with_seed(2));
        assert_ne!(one, other);
        for text in [one, other] {
            assert_eq!(text.lines().count(), HEIGHT);
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
        }
    }
}
