//! The chunks of a batch that goes through the plan phase by phase: each has a workspace of its own, which keeps its
//! values from phase to phase.

use super::shards::shard_places;
use super::workers::{Then, hand_out};
use super::{Crew, Shard, chunk_len};
use crate::distributed::Group;
use crate::error::Result;
use crate::exec::{
    Direction, Meeting, Pass, Phase, Purpose, Scratch, StateUpdate, Weights, Workspace, backward_phase, forward_phase,
};
use crate::plan::Plan;
use crate::simd::{Level, dispatch};
use crate::wire::{floats, put_floats};
use std::ops::Range;

/// Some examples of a batch, with all that is known of them.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Their places in the batch; none at the end of a shard that is shorter than others.
    pub(super) places: Range<usize>,
    pub(super) workspace: Workspace,
}

/// The chunks of all shards of a batch, shard after shard.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// Those in use, and behind them those that a larger batch needed.
    all: Vec<Chunk>,
    used: usize,
    per_shard: usize,
    /// What all of them are chunks of, those of other ranks too.
    cut: Cut,
    meetings: Vec<Meeting>,
    /// The memory that steps need while they run, one for each thread.
    scratch: Vec<Scratch>,
    crew: Crew,
}

/// How a batch is cut into chunks.
#[derive(Clone, Copy, Debug, Default)]
struct Cut {
    examples: usize,
    shards: usize,
    /// The most examples of a chunk.
    len: usize,
}

impl Cut {
    /// The lengths of the chunks of some shards, in their order.
    fn lens(self, shards: Range<usize>) -> impl Iterator<Item = usize> {
        let Self { examples, shards: all, len } = self;
        let places = shards.map(move |shard| shard_places(examples, all, shard).len());
        places.flat_map(move |examples| (0..examples).step_by(len).map(move |start| len.min(examples - start)))
    }
}

/// What runs.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) weights: &'a Weights,
    pub(super) level: Level,
    /// The ranks whose chunks meet with these.
    pub(super) group: Option<&'a Group>,
}

impl Chunks {
    /// Cuts a batch, or a round of it, into chunks; memory is made where there is too little.
    ///
    /// - own: those of the shards whose chunks are wanted
    pub(super) fn cut(
        &mut self,
        plan: &Plan,
        places: &Range<usize>,
        (shards, own): (usize, Range<usize>),
        purpose: Purpose,
    ) {
        let shard_len = places.len().div_ceil(shards.max(1));
        let len = chunk_len(plan).min(shard_len.max(1));
        self.per_shard = shard_len.div_ceil(len).max(1);
        self.cut = Cut { examples: places.len(), shards, len };
        self.used = own.len() * self.per_shard;
        if self.all.iter().take(self.used).any(|chunk| chunk.workspace.max_images < len) {
            self.all.clear();
        }
        while self.all.len() < self.used {
            self.all.push(Chunk { places: 0..0, workspace: Workspace::without_scratch(plan, len, purpose) });
        }
        for (index, chunk) in self.all.iter_mut().take(self.used).enumerate() {
            let shard = shard_places(places.len(), shards, own.start + index / self.per_shard);
            let start = (shard.start + index % self.per_shard * len).min(shard.end);
            let end = (start + len).min(shard.end);
            chunk.places = places.start + start..places.start + end;
        }
        if self.meetings.is_empty() {
            self.meetings = Meeting::all(plan);
        }
        self.crew = Crew::of_phases(plan, places.len());
        let threads = self.crew.threads(self.used);
        while self.scratch.len() < threads {
            self.scratch.push(Scratch::of_plan(plan, len, purpose));
        }
        self.scratch.iter_mut().filter(|scratch| scratch.max_images < len).for_each(|scratch| {
            *scratch = Scratch::of_plan(plan, len, purpose);
        });
    }

    /// The chunks in use, in the order of their examples.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Chunk> {
        self.all[..self.used].iter().filter(|chunk| !chunk.places.is_empty())
    }

    /// The chunks of each shard.
    pub(super) fn shards(&self) -> impl Iterator<Item = &[Chunk]> {
        let all = self.all[..self.used].chunks(self.per_shard.max(1));
        all.map(|chunks| &chunks[..chunks.iter().filter(|chunk| !chunk.places.is_empty()).count()])
    }

    /// The forward pass, phase by phase. Every chunk's inputs are written by `write`.
    ///
    /// # Errors
    /// [`Error::Distributed`](crate::Error::Distributed) if another rank cannot be reached.
    pub(super) fn forward(
        &mut self,
        run: Run<'_>,
        pass: impl Fn(&Range<usize>) -> Pass + Sync,
        write: impl Fn(&mut Chunk) + Sync,
    ) -> Result<()> {
        let Run { plan, weights, level, group } = run;
        let Self { all, used, meetings, scratch, crew, cut, .. } = self;
        let chunks = &mut all[..*used];
        let threads = crew.threads(chunks.len()).min(scratch.len());
        for (phase, steps) in plan.phases().enumerate() {
            hand_out(chunks.iter_mut(), &mut scratch[..threads], Then::Work, |_, chunk, scratch| {
                if chunk.places.is_empty() {
                    return;
                }
                if phase == 0 {
                    write(chunk);
                }
                let Chunk { places, workspace } = chunk;
                let pass = pass(places);
                workspace.swap_scratch(scratch);
                dispatch!(level, simd => {
                    forward_phase(simd, Phase { plan, steps: steps.clone() }, weights, workspace, places.len(), pass);
                });
                workspace.swap_scratch(scratch);
            });
            if let Some(meeting) = meetings.get_mut(phase) {
                meet(plan, Direction::Forward, meeting, chunks, group.map(|group| (group, *cut)))?;
            }
        }
        Ok(())
    }

    /// The backward pass, phase by phase, into the gradients of the shards.
    ///
    /// - finish: writes the gradients of a chunk's outputs before the backward pass
    ///
    /// # Errors
    /// [`Error::Distributed`](crate::Error::Distributed) if another rank cannot be reached.
    pub(super) fn backward(
        &mut self,
        run: Run<'_>,
        shards: &mut [Shard],
        finish: impl Fn(&mut Chunk, &mut Shard) + Sync,
    ) -> Result<()> {
        for phase in (0..run.plan.phases().count()).rev() {
            let steps = run.plan.phases().nth(phase).expect("there are as many");
            self.meet_backward(run, phase)?;
            self.backward_phase(run, steps, shards, &finish);
        }
        Ok(())
    }

    /// What comes before the backward pass of a phase, if its chunks meet behind it.
    ///
    /// # Errors
    /// [`Error::Distributed`](crate::Error::Distributed) if another rank cannot be reached.
    pub(super) fn meet_backward(&mut self, Run { plan, group, .. }: Run<'_>, phase: usize) -> Result<()> {
        let Self { all, used, meetings, cut, .. } = self;
        meetings.get_mut(phase).map_or(Ok(()), |meeting| {
            meet(plan, Direction::Backward, meeting, &mut all[..*used], group.map(|group| (group, *cut)))
        })
    }

    /// The backward pass of a phase, or a part of one.
    ///
    /// - finish: writes the gradients of a chunk's outputs before the backward pass
    pub(super) fn backward_phase(
        &mut self,
        Run { plan, weights, level, .. }: Run<'_>,
        steps: Range<usize>,
        shards: &mut [Shard],
        finish: impl Fn(&mut Chunk, &mut Shard) + Sync,
    ) {
        let Self { all, used, per_shard, scratch, crew, .. } = self;
        // A pass may come back on a pool of more threads.
        let threads = crew.threads(shards.len()).min(scratch.len());
        let (is_first, is_last) = (steps.end == plan.steps.len(), steps.start == 0);
        let tasks = all[..*used].chunks_mut(*per_shard).zip(shards.iter_mut());
        hand_out(tasks, &mut scratch[..threads], Then::Work, |_, (chunks, shard), scratch| {
            let mut done = 0;
            for chunk in chunks.iter_mut().filter(|chunk| !chunk.places.is_empty()) {
                if is_first {
                    finish(chunk, shard);
                }
                let Chunk { places, workspace } = chunk;
                shard.gradients.go_to(done);
                done += places.len();
                workspace.swap_scratch(scratch);
                dispatch!(level, simd => {
                    let gradients = &mut shard.gradients;
                    backward_phase(simd, Phase { plan, steps: steps.clone() }, weights, workspace, places.len(), gradients);
                });
                workspace.swap_scratch(scratch);
            }
            shard.gradients.go_to(done);
            if is_last {
                shard.gradients.close();
            }
        });
    }

    /// What the moving statistics of a model's normalizations take up of the last forward pass.
    pub(super) fn state_updates(&self, plan: &Plan) -> Vec<StateUpdate> {
        self.meetings.iter().map(|meeting| meeting.state_update(plan)).collect()
    }

    /// The moving statistics take that up.
    ///
    /// - flat: all weights
    pub(super) fn update_state(&self, plan: &Plan, flat: &mut [f32]) {
        self.meetings.iter().for_each(|meeting| meeting.update_state(plan, flat));
    }
}

/// Sums up what the chunks have gathered, in their order, and tells all of them.
///
/// - together: the ranks that have the others, and how all are cut
fn meet(
    plan: &Plan,
    direction: Direction,
    meeting: &mut Meeting,
    chunks: &mut [Chunk],
    together: Option<(&Group, Cut)>,
) -> Result<()> {
    let in_use = |chunk: &&mut Chunk| !chunk.places.is_empty();
    meeting.open();
    match together {
        None => {
            for Chunk { places, workspace } in chunks.iter_mut().filter(in_use) {
                let [first, second] = meeting.gathered(plan, direction, workspace);
                meeting.take_up(direction, [first.iter().copied(), second.iter().copied()], places.len());
            }
        }
        Some((group, cut)) => {
            let mut own = Vec::new();
            for Chunk { workspace, .. } in chunks.iter_mut().filter(in_use) {
                for values in meeting.gathered(plan, direction, workspace) {
                    put_floats(&*values, &mut own);
                }
            }
            let half = meeting.channels() * size_of::<f32>();
            let len = |rank| cut.lens(group.part(cut.shards, rank)).count() * 2 * half;
            let lens: Vec<usize> = (0..group.size()).map(len).collect();
            let all = group.all_gather(&own, &lens)?;
            for (images, of_chunk) in cut.lens(0..cut.shards).zip(all.chunks_exact(2 * half)) {
                let (first, second) = of_chunk.split_at(half);
                meeting.take_up(direction, [floats(first), floats(second)], images);
            }
        }
    }
    meeting.close(direction);
    for Chunk { workspace, .. } in chunks.iter_mut().filter(in_use) {
        meeting.share(plan, direction, workspace);
    }
    Ok(())
}
