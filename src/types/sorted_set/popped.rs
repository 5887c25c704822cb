//! What a large sorted set remembers of elements that were popped while their pairs stay in the
//! index: enough to find those pairs again.
//!
//! An element goes at the front when all with lower scores have gone, so its pair's score is below
//! the lowest of the set; unless elements with such scores came again. So between the highest score
//! popped at the front and the lowest popped at the back all pairs lead to elements, beyond the
//! scores of the set none, and only what is left between is looked up.
//!
//! A sweep begins when there are many such pairs, and goes on by a leaf of the index with each pop.
//! What is popped meanwhile may stand behind it, and is remembered for the next.

use crate::structures::cow_tree::End;

/// A sweep begins when so many elements have one pair that leads nowhere.
const ELEMENTS_PER_LEFT: usize = 4;

/// See the head of the file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Popped {
    /// Since the present sweep began, or the last one.
    recent: Scores,
    /// Before it; while it goes on.
    swept: Scores,
    /// Where it goes on.
    cursor: Option<u32>,
}

/// The inner ones of what was popped.
#[derive(Clone, Copy, Debug)]
struct Scores {
    front: f64,
    back: f64,
}

impl Default for Scores {
    fn default() -> Self {
        Self { front: f64::NEG_INFINITY, back: f64::INFINITY }
    }
}

impl Popped {
    /// Takes note of a pop.
    pub(super) fn note(&mut self, end: End, score: f64) {
        match end {
            End::Front => self.recent.front = self.recent.front.max(score),
            End::Back => self.recent.back = self.recent.back.min(score),
        }
    }

    /// The hash from which on to sweep, if that is to be done now: with so many pairs `left` beside
    /// those of the set's elements.
    pub(super) fn sweeping(&mut self, left: usize, elements: usize) -> Option<u32> {
        if self.cursor.is_none() && left > elements / ELEMENTS_PER_LEFT {
            self.swept = std::mem::take(&mut self.recent);
            self.cursor = Some(0);
        }
        self.cursor
    }

    /// Takes note how far the sweep has come; no hash is its end.
    pub(super) fn swept(&mut self, next: Option<u32>) {
        self.cursor = next;
        if next.is_none() {
            self.swept = Scores::default();
        }
    }

    /// Whether no element with this score was popped, so that its pairs all lead to elements.
    pub(super) fn is_beyond(&self, score: f64) -> bool {
        let is_inside = |scores: Scores| scores.front < score && score < scores.back;
        is_inside(self.recent) && is_inside(self.swept)
    }
}
