//! The log over all records: a Merkle tree as RFC 6962 §2.1 and RFC 9162 §2.1 define it, over leaf hashes.
//!
//! [`Frontier`] is all that appending needs, so a store keeps it in one row. Proofs need the leaves.

use serde::{Deserialize, Serialize};

use crate::{Hash, RecordError};

/// The right edge of a growing tree: the roots of its complete subtrees, largest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

/// A frontier as it was stored, before its parts are known to fit.
#[derive(Deserialize)]
struct Stored {
    size: u64,
    peaks: Vec<Hash>,
}

impl TryFrom<Stored> for Frontier {
    type Error = RecordError;

    fn try_from(stored: Stored) -> Result<Frontier, RecordError> {
        Frontier::restore(stored.size, stored.peaks)
    }
}

impl Frontier {
    /// An empty log.
    pub fn new() -> Frontier {
        Frontier::default()
    }

    /// A frontier from its stored parts. Errors: R307 when there are not as many peaks as the size needs.
    pub fn restore(size: u64, peaks: Vec<Hash>) -> Result<Frontier, RecordError> {
        if peaks.len() == size.count_ones() as usize {
            Ok(Frontier { size, peaks })
        } else {
            Err(RecordError::Frontier { size, peaks: peaks.len() })
        }
    }

    /// Appends a leaf and returns its index.
    pub fn push(&mut self, leaf: Hash) -> u64 {
        let index = self.size;
        // Like adding one in binary: each trailing 1 of the size is a peak that the new one absorbs.
        let absorbed = self.peaks.len() - index.trailing_ones() as usize;
        let peak = self.peaks.drain(absorbed..).rfold(leaf, |right, left| Hash::node(left, right));
        self.peaks.push(peak);
        self.size += 1;
        index
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        match self.peaks.split_last() {
            None => Hash::of(&[]),
            Some((last, larger)) => larger.iter().rfold(*last, |right, left| Hash::node(*left, right)),
        }
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }
}

/// The root over the leaves.
pub fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    for leaf in leaves {
        frontier.push(*leaf);
    }
    frontier.root()
}

/// All levels of a tree, for many proofs out of one log: building costs one hash per leaf, each proof none.
pub struct Tree {
    /// The leaves first, the root last. A node without a sibling moves up as it is.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// The tree over the leaves.
    pub fn new(leaves: &[Hash]) -> Tree {
        let mut levels = vec![leaves.to_vec()];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            let above = level.chunks(2).map(|pair| match pair {
                [left, right] => Hash::node(*left, *right),
                alone => alone[0],
            });
            levels.push(above.collect());
        }
        Tree { levels }
    }

    /// The proof that the leaf at `index` is in the tree: its siblings, from the leaf up (RFC 9162 §2.1.3.1).
    /// Empty for an index outside the tree; no verifier accepts that.
    pub fn inclusion_proof(&self, index: u64) -> Vec<Hash> {
        let Ok(index) = usize::try_from(index) else {
            return Vec::new();
        };
        if index >= self.levels[0].len() {
            return Vec::new();
        }
        let sibling = |(height, level): (usize, &Vec<Hash>)| level.get((index >> height) ^ 1).copied();
        self.levels.iter().enumerate().filter_map(sibling).collect()
    }
}

/// The proof that the leaf at `index` is among the leaves; see [`Tree::inclusion_proof`].
pub fn inclusion_proof(leaves: &[Hash], index: u64) -> Vec<Hash> {
    Tree::new(leaves).inclusion_proof(index)
}

/// Whether the proof shows that `leaf` stands at `index` in the tree of `size` leaves (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(root: Hash, size: u64, index: u64, leaf: Hash, proof: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = Hash::node(*sibling, hash);
            // A node without a sibling moved up: skip the levels on which it had none.
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = Hash::node(hash, *sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == root
}

/// The proof that the tree over the first `old_size` leaves is a prefix of the tree over all of them (RFC 9162
/// §2.1.4.1). Empty when the sizes are equal, and for an `old_size` of 0 or beyond the leaves.
pub fn consistency_proof(leaves: &[Hash], old_size: u64) -> Vec<Hash> {
    match usize::try_from(old_size) {
        Ok(old) if (1..leaves.len()).contains(&old) => subproof(leaves, old, true),
        _ => Vec::new(),
    }
}

/// `known` is whether the verifier has the root of these leaves when they all belong to the old tree.
fn subproof(leaves: &[Hash], old: usize, known: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if known { Vec::new() } else { vec![root(leaves)] };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, other) = if old <= left.len() {
        (subproof(left, old, known), root(right))
    } else {
        (subproof(right, old - left.len(), false), root(left))
    };
    proof.push(other);
    proof
}

/// Whether the proof shows that the tree with `old_root` is a prefix of the tree with `new_root` (RFC 9162
/// §2.1.4.2). The empty log is a prefix of every log; equal sizes need equal roots.
pub fn verify_consistency(old_size: u64, old_root: Hash, new_size: u64, new_root: Hash, proof: &[Hash]) -> bool {
    if old_size > new_size {
        return false;
    }
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    if old_size == 0 {
        return proof.is_empty() && old_root == Hash::of(&[]);
    }
    // An old tree that is complete is itself the first node, and the proof leaves it out.
    let (first, rest) = match proof.split_first() {
        _ if old_size.is_power_of_two() => (old_root, proof),
        Some((first, rest)) => (*first, rest),
        None => return false,
    };
    let shift = (old_size - 1).trailing_ones();
    let (mut node, mut last) = ((old_size - 1) >> shift, (new_size - 1) >> shift);
    let (mut old_hash, mut new_hash) = (first, first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_hash = Hash::node(*sibling, old_hash);
            new_hash = Hash::node(*sibling, new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = Hash::node(new_hash, *sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == old_root && new_hash == new_root
}

#[cfg(test)]
mod tests;
