//! A check of a segment's write-ahead log. SQLite ends a log silently at the first frame that is damaged, so that requests behind it
//! would be missing without an error.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

const HEADER: usize = super::file::LOG_HEADER as usize;
const FRAME_HEADER: usize = super::file::FRAME_HEADER as usize;

/// The magic number, without the bit that selects the byte order of the checksums.
const MAGIC: u32 = 0x377f_0682;

const MAX_PAGE: u32 = 65_536;

/// The running checksum of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Checksum(u32, u32);

impl Checksum {
    fn add(mut self, bytes: &[u8], is_big_endian: bool) -> Self {
        for pair in bytes.chunks_exact(8) {
            let (first, second) = (word(pair, 0, is_big_endian), word(pair, 4, is_big_endian));
            self.0 = self.0.wrapping_add(first).wrapping_add(self.1);
            self.1 = self.1.wrapping_add(second).wrapping_add(self.0);
        }
        self
    }
}

/// The 32-bit number at a place; 0 beyond the end.
fn word(bytes: &[u8], place: usize, is_big_endian: bool) -> u32 {
    let word = bytes.get(place..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
    if is_big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
}

/// Returns true if transactions that were committed cannot be read, because the log is damaged before them.
///
/// Each transaction is synced before the next one begins. So after a power cut at most one of those behind the readable part can have
/// reached the disk, and that one was not acknowledged.
pub(super) fn is_damaged(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    let mut log = BufReader::with_capacity(1 << 20, file);
    let mut header = [0; HEADER];
    if !fill(&mut log, &mut header)? {
        return Ok(false);
    }
    let number = |place| word(&header, place, true);
    let is_big_endian = number(0) & 1 == 1;
    let mut checksum = Checksum::default().add(header.get(..24).unwrap_or_default(), is_big_endian);
    let is_header_valid = number(0) & !1 == MAGIC && checksum == Checksum(number(24), number(28));
    let page = if is_header_valid { number(8) } else { super::file::PAGE_SIZE };
    if !(512..=MAX_PAGE).contains(&page) {
        return Ok(true);
    }
    let mut salt = is_header_valid.then(|| (number(16), number(20)));
    let mut frame = vec![0; FRAME_HEADER + usize::try_from(page).unwrap_or(0)];
    let (mut is_readable, mut unreadable_commits) = (is_header_valid, 0);
    while fill(&mut log, &mut frame)? {
        let number = |place| word(&frame, place, true);
        // Zeros that are not overwritten.
        if number(0) == 0 {
            is_readable = false;
            continue;
        }
        // Without a valid header the frames are at least of one and the same log.
        let salt = *salt.get_or_insert_with(|| (number(8), number(12)));
        let is_of_log = (number(8), number(12)) == salt;
        checksum = checksum
            .add(frame.get(..8).unwrap_or_default(), is_big_endian)
            .add(frame.get(FRAME_HEADER..).unwrap_or_default(), is_big_endian);
        is_readable &= is_of_log && checksum == Checksum(number(16), number(20));
        let is_commit = number(4) != 0;
        unreadable_commits += usize::from(!is_readable && is_of_log && is_commit);
    }
    Ok(unreadable_commits > 1)
}

/// Fills the buffer; returns false at the end of the file.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
