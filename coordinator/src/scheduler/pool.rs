//! Which units are free, and which of them a worker gets next. Not who holds them (`sessions`), not why one is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::bits::Bits;
use super::geometry::{Block, Geometry, Lane};

/// The free units, by lane.
///
/// Invariant: a lane with a free unit lies between its block's frontier and its block's end, or is seated, or is loose. So no
/// free unit is ever forgotten.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    geometry: Geometry,
    /// Done or quarantined: never free again.
    closed: Bits,
    /// Closed, granted, or withheld until a record about it is durable.
    taken: Bits,
    /// By block: the first lane that nobody has been seated at yet.
    frontiers: Vec<u64>,
    /// By block: the first lane past the frontier that somebody has been seated at from behind.
    ends: Vec<u64>,
    /// Lanes outside of these that nobody is seated at and that have free units, or had some.
    loose: BTreeSet<Lane>,
    /// How many workers are seated at a lane.
    seated: BTreeMap<Lane, u32>,
}

/// The lane that a worker likes to go on with, and the end that it takes from: whoever joins an occupied lane takes from its
/// tail, so that both meet in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    lane: Lane,
    end: End,
}

/// Which lanes a worker may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Anywhere,
    /// Only those that nobody has begun.
    Untouched,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Front,
    Tail,
}

impl Pool {
    pub(super) fn new(geometry: Geometry) -> Self {
        let units = geometry.units();
        Self {
            closed: Bits::new(units),
            taken: Bits::new(units),
            frontiers: vec![0; geometry.blocks().len()],
            ends: geometry.blocks().iter().map(|block| block.lanes).collect(),
            loose: BTreeSet::new(),
            seated: BTreeMap::new(),
            geometry,
        }
    }

    pub(super) fn units(&self) -> u64 {
        self.geometry.units()
    }

    pub(super) fn model(&self, unit: u64) -> usize {
        self.geometry.model(unit)
    }

    /// Units that are neither done nor quarantined.
    pub(super) fn open(&self) -> u64 {
        self.closed.absent()
    }

    /// True where some unit is free.
    pub(super) fn has_free(&self) -> bool {
        self.taken.absent() > 0
    }

    pub(super) fn is_closed(&self, unit: u64) -> bool {
        self.closed.contains(unit)
    }

    pub(super) fn is_taken(&self, unit: u64) -> bool {
        self.taken.contains(unit)
    }

    pub(super) fn take(&mut self, unit: u64) {
        self.taken.insert(unit);
    }

    /// Closes the unit.
    pub(super) fn close(&mut self, unit: u64) {
        self.taken.insert(unit);
        self.closed.insert(unit);
    }

    /// Closes the units of the range, whatever they are.
    pub(super) fn close_range(&mut self, range: Range<u64>) {
        self.taken.insert_range(range.clone());
        self.closed.insert_range(range);
    }

    /// Frees the unit, unless it is closed.
    pub(super) fn put_back(&mut self, unit: u64) {
        if !self.is_closed(unit) {
            self.taken.remove(unit);
            self.loosen(self.geometry.lane(unit));
        }
    }

    /// Seats a worker at the lane of a unit that it turned out to hold.
    pub(super) fn seat_at(&mut self, unit: u64) -> Seat {
        self.sit(self.geometry.lane(unit), End::Front)
    }

    /// The worker leaves its lane to others.
    pub(super) fn leave(&mut self, seat: Option<Seat>) {
        let Some(Seat { lane, .. }) = seat else { return };
        let seated = self.seated.get_mut(&lane);
        let left = seated.map_or(0, |count| {
            *count -= 1;
            *count
        });
        if left == 0 {
            self.seated.remove(&lane);
            self.loosen(lane);
        }
    }

    /// Takes the next unit for a worker with this seat that lacks these models: from its own lane, else from one within
    /// reach.
    pub(super) fn next(
        &mut self,
        seat: &mut Option<Seat>,
        missing: &BTreeSet<usize>,
        reach: Reach,
    ) -> Option<u64> {
        if seat.is_some_and(|seat| missing.contains(&self.lane_model(seat.lane))) {
            self.leave(seat.take());
        }
        if !self.has_free() {
            return None;
        }
        let unit = match seat.and_then(|seat| self.free(seat)) {
            Some(unit) => unit,
            None => {
                let new = match reach {
                    Reach::Anywhere => self.find(missing)?,
                    Reach::Untouched => self.find_untouched(missing)?,
                };
                self.leave(seat.replace(new));
                self.free(new)?
            }
        };
        self.take(unit);
        Some(unit)
    }

    /// True where the lane of this seat has a free unit.
    pub(super) fn has_free_at(&self, seat: Option<Seat>) -> bool {
        seat.is_some_and(|seat| self.free(seat).is_some())
    }

    /// Of the lanes of these seats that have units enough for two workers and need none of the missing models, the one with the most free units.
    pub(super) fn fullest_of(
        &self,
        seats: impl Iterator<Item = Seat>,
        missing: &BTreeSet<usize>,
    ) -> Option<Lane> {
        let lanes = seats.map(|seat| seat.lane);
        let lanes: BTreeSet<Lane> =
            lanes.filter(|lane| !missing.contains(&self.lane_model(*lane))).collect();
        self.fullest(lanes.iter()).filter(|&(free, _)| free > 1).map(|(_, lane)| lane)
    }

    /// Moves a worker to the tail of a lane.
    pub(super) fn sit_beside(&mut self, seat: &mut Option<Seat>, lane: Lane) {
        let new = self.sit(lane, End::Tail);
        self.leave(seat.replace(new));
    }

    /// The lane with the most free units, and how many, where one is free; of several the last.
    fn fullest<'a>(&self, lanes: impl Iterator<Item = &'a Lane>) -> Option<(u64, Lane)> {
        let counted = lanes.map(|&lane| (self.taken.count_absent(self.geometry.range(lane)), lane));
        counted.filter(|&(free, _)| free > 0).max_by_key(|&(free, _)| free)
    }

    /// A loose lane, else a fresh one, else the tail of the fullest occupied one.
    fn find(&mut self, missing: &BTreeSet<usize>) -> Option<Seat> {
        if let Some(lane) = self.find_loose(missing).or_else(|| self.find_fresh(missing)) {
            return Some(self.sit(lane, End::Front));
        }
        let occupied =
            self.seated.keys().filter(|lane| !missing.contains(&self.lane_model(**lane)));
        self.fullest(occupied).map(|(_, lane)| self.sit(lane, End::Tail))
    }

    /// The first loose lane with a free unit; loose lanes that have none any more are forgotten on the way.
    fn find_loose(&mut self, missing: &BTreeSet<usize>) -> Option<Lane> {
        let mut stale = Vec::new();
        let mut found = None;
        for &lane in &self.loose {
            if missing.contains(&self.lane_model(lane)) {
                continue;
            }
            if self.taken.first_absent(self.geometry.range(lane)).is_some() {
                found = Some(lane);
                break;
            }
            stale.push(lane);
        }
        for lane in stale.iter().chain(&found) {
            self.loose.remove(lane);
        }
        found
    }

    /// The first lane past the frontier that has a free unit and that nobody is seated at.
    fn find_fresh(&mut self, missing: &BTreeSet<usize>) -> Option<Lane> {
        for block in 0..self.frontiers.len() {
            if missing.contains(&self.geometry.blocks()[block].model) {
                continue;
            }
            while self.frontiers[block] < self.ends[block] {
                let lane = Lane { block, index: self.frontiers[block] };
                self.frontiers[block] += 1;
                let free = self.taken.first_absent(self.geometry.range(lane)).is_some();
                if free && !self.seated.contains_key(&lane) {
                    return Some(lane);
                }
            }
        }
        None
    }

    /// The last lane, by its block, of which no unit is taken and that nobody is seated at. Lanes are lent from the front, so
    /// those at the back are the last that somebody could hold units of.
    fn find_untouched(&mut self, missing: &BTreeSet<usize>) -> Option<Seat> {
        for block in 0..self.ends.len() {
            let Block { model, lane_units, .. } = self.geometry.blocks()[block];
            if missing.contains(&model) {
                continue;
            }
            while self.frontiers[block] < self.ends[block] {
                self.ends[block] -= 1;
                let lane = Lane { block, index: self.ends[block] };
                let free = self.taken.count_absent(self.geometry.range(lane));
                if free == lane_units && !self.seated.contains_key(&lane) {
                    return Some(self.sit(lane, End::Front));
                }
                self.loosen(lane);
            }
        }
        None
    }

    fn sit(&mut self, lane: Lane, end: End) -> Seat {
        *self.seated.entry(lane).or_insert(0) += 1;
        self.loose.remove(&lane);
        Seat { lane, end }
    }

    fn loosen(&mut self, lane: Lane) {
        let fresh = (self.frontiers[lane.block]..self.ends[lane.block]).contains(&lane.index);
        let free = self.taken.first_absent(self.geometry.range(lane)).is_some();
        if free && !fresh && !self.seated.contains_key(&lane) {
            self.loose.insert(lane);
        }
    }

    fn free(&self, seat: Seat) -> Option<u64> {
        let range = self.geometry.range(seat.lane);
        match seat.end {
            End::Front => self.taken.first_absent(range),
            End::Tail => self.taken.last_absent(range),
        }
    }

    fn lane_model(&self, lane: Lane) -> usize {
        self.geometry.blocks()[lane.block].model
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_lane_then_loose_then_fresh_then_the_tail_of_the_fullest() {
        let mut pool = Pool::new(Geometry::new([(0, 4, 3)]));
        let (mut a, mut b, mut c) = (None, None, None);
        let none = BTreeSet::new();
        assert_eq!(
            [pool.next(&mut a, &none, Reach::Anywhere), pool.next(&mut a, &none, Reach::Anywhere)],
            [Some(0), Some(1)]
        );
        assert_eq!(
            [pool.next(&mut b, &none, Reach::Anywhere), pool.next(&mut b, &none, Reach::Anywhere)],
            [Some(4), Some(5)]
        );
        pool.leave(a.take());
        assert_eq!(
            pool.next(&mut c, &none, Reach::Anywhere),
            Some(2),
            "the loose lane comes before the fresh one"
        );
        assert_eq!(pool.next(&mut a, &none, Reach::Anywhere), Some(8));
        let mut d = None;
        assert_eq!(
            [pool.next(&mut d, &none, Reach::Anywhere), pool.next(&mut d, &none, Reach::Anywhere)],
            [Some(11), Some(10)]
        );
        pool.put_back(0);
        pool.leave(c.take());
        let rest: Vec<_> =
            std::iter::from_fn(|| pool.next(&mut d, &none, Reach::Anywhere)).collect();
        assert_eq!(rest, [9, 0, 3, 7, 6]);
    }

    #[test]
    fn untouched_lanes_come_from_the_back_and_begun_ones_are_not_forgotten() {
        let mut pool = Pool::new(Geometry::new([(0, 2, 4)]));
        pool.close_range(4..5);
        let (mut a, mut b) = (None, None);
        let none = BTreeSet::new();
        let mut next = |seat: &mut _, reach| pool.next(seat, &none, reach);
        let untouched: Vec<_> = std::iter::from_fn(|| next(&mut a, Reach::Untouched)).collect();
        assert_eq!(untouched, [6, 7, 2, 3, 0, 1]);
        assert_eq!(next(&mut b, Reach::Anywhere), Some(5));
    }

    #[test]
    fn lanes_of_a_missing_model_are_left_to_others() {
        let mut pool = Pool::new(Geometry::new([(0, 2, 1), (1, 2, 1)]));
        let (mut a, mut b) = (None, None);
        let missing = BTreeSet::from([0]);
        let units: Vec<_> =
            std::iter::from_fn(|| pool.next(&mut a, &missing, Reach::Anywhere)).collect();
        assert_eq!(units, [2, 3]);
        assert_eq!(pool.next(&mut b, &BTreeSet::new(), Reach::Anywhere), Some(0));
    }
}
