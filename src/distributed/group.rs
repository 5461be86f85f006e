//! The ranks of a training as the crate sees them: they meet before each thing that they do together, so that ranks which do
//! different things, and ranks that have failed, are found out instead of being waited for.

use super::{Communicator, SumOrder};
use crate::cutting::part;
use crate::error::{Error, Result};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What ranks do together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Join,
    Begin,
    Turn,
    AfterTurn,
    Step,
    Validate,
    Epoch,
    End,
}

const CALLS: [(Call, &str); 8] = [
    (Call::Join, "joins by `distribute`"),
    (Call::Begin, "begins a `fit`"),
    (Call::Turn, "takes a step of a `fit`"),
    (Call::AfterTurn, "has taken a step of a `fit`"),
    (Call::Step, "computes the gradients of a batch"),
    (Call::Validate, "validates"),
    (Call::Epoch, "begins an epoch, or has had the last"),
    (Call::End, "has ended a `fit`"),
];

/// What ranks ask of each other: what one asks, all do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signals {
    pub(crate) stops: bool,
    pub(crate) interrupts: bool,
    pub(crate) has_callbacks: bool,
}

/// The ranks of a training, of which this is one.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    communicator: Arc<dyn Communicator>,
    pub(crate) order: SumOrder,
    /// Why it has ended, if it has.
    ended: Arc<Mutex<Option<String>>>,
}

/// What a rank says when it comes to a meeting.
const HEADER: usize = 32;
/// The first byte of a header: of this form of headers, and how the rank is.
const WELL: u8 = 0x10;
const FAILED: u8 = 0x11;
/// The most bytes that a rank says of why it failed.
const MAX_REASON: usize = 4096;

impl Group {
    pub(crate) fn new(communicator: Arc<dyn Communicator>, order: SumOrder) -> Self {
        Self { communicator, order, ended: Arc::default() }
    }

    pub(crate) fn rank(&self) -> usize {
        self.communicator.rank()
    }

    pub(crate) fn size(&self) -> usize {
        self.communicator.size()
    }

    /// The tasks of a rank, of so many.
    pub(crate) fn part(&self, tasks: usize, rank: usize) -> Range<usize> {
        part(tasks, self.size(), rank)
    }

    /// The tasks of this rank.
    pub(crate) fn own(&self, tasks: usize) -> Range<usize> {
        self.part(tasks, self.rank())
    }

    /// Waits for all ranks to come to the same place. Returns what any of them asks for.
    ///
    /// - numbers: of the place, such as the step and how many examples it has
    ///
    /// # Errors
    /// [`Error::Distributed`] if one has failed, or is elsewhere.
    pub(crate) fn meet(&self, call: Call, numbers: [u64; 2], signals: Signals) -> Result<Signals> {
        let of_call = CALLS.iter().position(|(known, _)| *known == call).expect("all are listed") as u8;
        let mut own = [0; HEADER];
        own[..3].copy_from_slice(&[WELL, of_call, signals.bits()]);
        own[8..16].copy_from_slice(&numbers[0].to_le_bytes());
        own[16..24].copy_from_slice(&numbers[1].to_le_bytes());
        let all = self.exchange_headers(&own, "")?;
        let headers = || all.chunks_exact(HEADER).enumerate();
        if let Some((rank, other)) = headers().find(|(_, other)| other[1] != of_call || other[8..24] != own[8..24]) {
            let doing = |header: &[u8]| {
                let name =
                    CALLS.get(usize::from(header[1])).map_or("does what this version does not know", |(_, name)| name);
                let number = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"));
                format!("{name} ({}, {})", number(8), number(16))
            };
            let (own, other) = (doing(&own), doing(other));
            return Err(self.end(format!(
                "rank {} {own} while rank {rank} {other}: all ranks must make the same calls with as many examples",
                self.rank()
            )));
        }
        Ok(headers().fold(Signals::default(), |all, (_, other)| all.or(Signals::of_bits(other[2]))))
    }

    /// Tells the others that this rank cannot go on, and why. If none can, all may go on together afterwards.
    pub(crate) fn fail(&self, reason: &Error) {
        let mut reason = reason.to_string();
        reason.truncate(boundary(&reason, MAX_REASON));
        let mut own = [0; HEADER];
        own[0] = FAILED;
        own[24..].copy_from_slice(&(reason.len() as u64).to_le_bytes());
        // The caller has an error to return.
        let _ = self.exchange_headers(&own, &reason);
    }

    /// # Errors
    /// [`Error::Distributed`] with what failed ranks say; if all failed, the group has not ended.
    fn exchange_headers(&self, own: &[u8; HEADER], reason: &str) -> Result<Vec<u8>> {
        let all = self.all_gather(own, &vec![HEADER; self.size()])?;
        let headers: Vec<&[u8]> = all.chunks_exact(HEADER).collect();
        if headers.iter().all(|header| header[0] == WELL) {
            return Ok(all);
        }
        if let Some(rank) = headers.iter().position(|header| ![WELL, FAILED].contains(&header[0])) {
            return Err(self.end(format!("rank {rank} is of another version: start the same program everywhere")));
        }
        let lens = headers.iter().map(|header| u64::from_le_bytes(header[24..].try_into().expect("eight bytes")));
        let lens: Vec<usize> = lens.map(|len| (len as usize).min(MAX_REASON)).collect();
        let reasons = self.all_gather(reason.as_bytes(), &lens)?;
        let failed = || headers.iter().enumerate().filter(|(_, header)| header[0] == FAILED);
        let (rank, _) = failed().next().expect("one is not well");
        let start = lens[..rank].iter().sum();
        let said = String::from_utf8_lossy(&reasons[start..start + lens[rank]]).into_owned();
        let message = format!("rank {rank} of {} failed: {said}", self.size());
        if failed().count() == self.size() {
            return Err(Error::Distributed(message));
        }
        Err(self.end(message))
    }

    /// Compares settings, each a name and a value, with those of all ranks.
    ///
    /// # Errors
    /// [`Error::Distributed`] for the first that differs from rank 0's.
    pub(crate) fn agree(&self, settings: &[(&str, String)]) -> Result<()> {
        const FIELD: char = '\u{1f}';
        const SETTING: char = '\u{1e}';
        let own: String = settings.iter().map(|(name, value)| format!("{name}{FIELD}{value}{SETTING}")).collect();
        let all = self.all_gather_any(own.as_bytes())?;
        let texts: Vec<_> = all.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
        for (rank, text) in texts.iter().enumerate() {
            let both = texts[0].split(SETTING).zip(text.split(SETTING));
            if let Some((first, other)) = both.into_iter().find(|(first, other)| first != other) {
                let split =
                    |setting: &str| setting.split_once(FIELD).map(|(name, value)| (name.to_owned(), value.to_owned()));
                let ((name, first), (_, other)) = split(first).zip(split(other)).unwrap_or_default();
                let at = first.bytes().zip(other.bytes()).take_while(|(first, other)| first == other).count();
                let (first, other) = (around(&first, at), around(&other, at));
                return Err(self.end(format!(
                    "rank {rank} has {name} {other}, rank 0 has {first}: start all ranks with the same program, model and data"
                )));
            }
        }
        Ok(())
    }

    /// The bytes of all ranks, of whatever lengths.
    fn all_gather_any(&self, mine: &[u8]) -> Result<Vec<Vec<u8>>> {
        let lens = self.all_gather(&(mine.len() as u64).to_le_bytes(), &vec![8; self.size()])?;
        let of_rank = |len: &[u8]| u64::from_le_bytes(len.try_into().expect("eight bytes")) as usize;
        let lens: Vec<usize> = lens.chunks_exact(8).map(of_rank).collect();
        let all = self.all_gather(mine, &lens)?;
        let mut rest = &all[..];
        let part = |len: &usize| rest.split_off(..*len).map(<[u8]>::to_vec).unwrap_or_default();
        Ok(lens.iter().map(part).collect())
    }

    /// # Errors
    /// [`Error::Distributed`] if the group has ended, or does with this.
    pub(crate) fn all_gather(&self, mine: &[u8], lens: &[usize]) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        self.all_gather_into(mine, lens, &mut all)?;
        Ok(all)
    }

    /// The same, into room that grows once.
    pub(crate) fn all_gather_into(&self, mine: &[u8], lens: &[usize], all: &mut Vec<u8>) -> Result<()> {
        all.resize(lens.iter().sum(), 0);
        self.through(|communicator| communicator.all_gather(mine, lens, all))
    }

    /// # Errors
    /// [`Error::Distributed`] if the group has ended, or does with this.
    pub(crate) fn all_to_all_into(&self, mine: &[u8], to: &[usize], from: &[usize], all: &mut Vec<u8>) -> Result<()> {
        all.resize(from.iter().sum(), 0);
        self.through(|communicator| communicator.all_to_all(mine, to, from, all))
    }

    /// # Errors
    /// [`Error::Distributed`] if the group has ended, or does with this.
    pub(crate) fn all_reduce(&self, sums: &mut [f32]) -> Result<()> {
        self.through(|communicator| communicator.all_reduce(sums))
    }

    /// What rank 0 has; the others give nothing.
    ///
    /// # Errors
    /// [`Error::Distributed`] if the group has ended, or does with this.
    pub(crate) fn of_first(&self, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        let mut len = (bytes.len() as u64).to_le_bytes();
        self.through(|communicator| communicator.broadcast(0, &mut len))?;
        bytes.resize(u64::from_le_bytes(len) as usize, 0);
        self.through(|communicator| communicator.broadcast(0, &mut bytes))?;
        Ok(bytes)
    }

    fn through(&self, work: impl FnOnce(&dyn Communicator) -> Result<()>) -> Result<()> {
        if let Some(reason) = &*self.reason() {
            return Err(Error::Distributed(format!("the ranks no longer work together: {reason}")));
        }
        work(&*self.communicator).inspect_err(|error| {
            self.end(error.to_string());
        })
    }

    fn reason(&self) -> MutexGuard<'_, Option<String>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it: nobody is waited for any more.
    fn end(&self, reason: String) -> Error {
        self.reason().get_or_insert_with(|| reason.clone());
        Error::Distributed(reason)
    }
}

impl Signals {
    fn bits(self) -> u8 {
        let Self { stops, interrupts, has_callbacks } = self;
        u8::from(stops) | u8::from(interrupts) << 1 | u8::from(has_callbacks) << 2
    }

    fn of_bits(bits: u8) -> Self {
        Self { stops: bits & 1 != 0, interrupts: bits & 2 != 0, has_callbacks: bits & 4 != 0 }
    }

    fn or(self, other: Self) -> Self {
        Self::of_bits(self.bits() | other.bits())
    }
}

/// A short text whole, and of a long one what is around a place.
fn around(text: &str, at: usize) -> String {
    const SHORT: usize = 120;
    if text.len() <= SHORT {
        return text.to_owned();
    }
    let start = boundary(text, at.saturating_sub(SHORT / 2));
    let end = boundary(text, start + SHORT);
    format!("...{}...", &text[start..end])
}

/// The last place up to this one where a text can be cut.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
