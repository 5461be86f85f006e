//! Finds oddities in a data set, and removes exact duplicates. It changes no pixel and no label.

use super::Dataset;
use super::dataset::Stored;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Oddities of a data set, as [`Dataset::oddities`] finds them; `{}` prints them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Oddities {
    /// Images whose values are all the same.
    pub empty: Vec<usize>,
    /// Images that are exactly like an earlier one of the same label and values, with it: (earlier, later).
    pub duplicates: Vec<(usize, usize)>,
    /// Images that are exactly like an earlier one of another label or other values, with it: (earlier, later).
    pub contradictions: Vec<(usize, usize)>,
    /// Images whose label is not below the number of classes.
    pub out_of_range: Vec<usize>,
    /// Classes without an image.
    pub missing: Vec<usize>,
}

impl Oddities {
    /// Whether there are no oddities.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Oddities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return write!(f, "nothing is odd");
        }
        let Self { empty, duplicates, contradictions, out_of_range, missing } = self;
        let pairs = |pairs: &[(usize, usize)]| list(pairs, |(earlier, later)| format!("{later} as {earlier}"));
        let numbers = |numbers: &[usize]| list(numbers, usize::to_string);
        let lines = [
            ("images of one value", empty.len(), numbers(empty)),
            ("exact duplicates", duplicates.len(), pairs(duplicates)),
            ("the same image under another label", contradictions.len(), pairs(contradictions)),
            ("labels out of range", out_of_range.len(), numbers(out_of_range)),
            ("classes without an image", missing.len(), numbers(missing)),
        ];
        let lines = lines.iter().filter(|(_, count, _)| *count > 0);
        let lines: Vec<String> = lines.map(|(what, count, which)| format!("{what}: {count} ({which})")).collect();
        write!(f, "{}", lines.join("\n"))
    }
}

/// The first few, so that a line stays a line.
fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = items.iter().take(SHOWN).map(text).collect();
    format!("{}{}", shown.join(", "), if items.len() > SHOWN { ", ..." } else { "" })
}

impl Dataset {
    /// Finds oddities, given the number of classes there should be. Indices are those of this data set.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::Array4;
    /// let images = Array4::from_shape_fn((4, 1, 2, 1), |(n, _, x, _)| (n % 3 * x) as u8);
    /// let odd = Dataset::from_bytes(images, vec![0, 1, 2, 1])?.oddities(3);
    /// assert_eq!((&odd.empty[..], &odd.contradictions[..]), (&[0, 3][..], &[(0, 3)][..]));
    /// assert_eq!(odd.to_string(), "images of one value: 2 (0, 3)\nthe same image under another label: 1 (3 as 0)");
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn oddities(&self, classes: usize) -> Oddities {
        let labels = self.labels();
        let (values, images) = (self.values(), self.target_images());
        let target = |example: usize| {
            let row = values.map(|values| values.row(example).to_owned());
            let image = images.as_ref().and_then(|images| images.get(example)).map(|example| example.image());
            (labels.get(example), row, image)
        };
        let (duplicates, contradictions) =
            self.repeats().into_iter().partition(|&(earlier, later)| target(earlier) == target(later));
        // Without classes none is missing.
        let classes = if labels.is_empty() { 0 } else { classes };
        let counts = self.class_counts();
        Oddities {
            empty: (0..self.len()).filter(|&example| self.image_bits(example).is_constant()).collect(),
            duplicates,
            contradictions,
            out_of_range: (0..labels.len()).filter(|&example| labels[example] >= classes).collect(),
            missing: (0..classes).filter(|&class| counts.get(class).is_none_or(|count| *count == 0)).collect(),
        }
    }

    /// The data set without images that are identical to an earlier one, whatever their label; no pixel is copied.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::Array4;
    /// let images = Array4::from_shape_fn((5, 1, 1, 1), |(n, ..)| n as u8 / 2);
    /// let unique = Dataset::from_bytes(images, vec![0, 1, 2, 3, 4])?.remove_duplicates();
    /// assert_eq!(unique.labels(), [0, 2, 4]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn remove_duplicates(&self) -> Self {
        let mut kept = vec![true; self.len()];
        self.repeats().into_iter().for_each(|(_, later)| kept[later] = false);
        let examples: Vec<usize> = (0..self.len()).filter(|&example| kept[example]).collect();
        self.choose(&examples)
    }

    /// Each image that is exactly like an earlier one, with the first such: (earlier, later).
    fn repeats(&self) -> Vec<(usize, usize)> {
        // For each hash the first image of each content that has it: nearly always one.
        let mut first: HashMap<u64, Vec<usize>> = HashMap::new();
        let mut repeats = Vec::new();
        for example in 0..self.len() {
            let image = self.image_bits(example);
            match first.entry(image.hash()) {
                Entry::Vacant(entry) => {
                    entry.insert(vec![example]);
                }
                Entry::Occupied(mut entry) => {
                    match entry.get().iter().find(|&&earlier| self.image_bits(earlier).equals(image)) {
                        Some(&earlier) => repeats.push((earlier, example)),
                        None => entry.get_mut().push(example),
                    }
                }
            }
        }
        repeats
    }

    /// One image as it is stored.
    fn image_bits(&self, example: usize) -> Stored<'_> {
        let len = self.shape().len().unwrap_or(0);
        let place = self.order().map_or(example, |order| order[example] as usize) * len;
        match self.pixels().stored {
            Stored::Bytes(bytes) => Stored::Bytes(&bytes[place..][..len]),
            Stored::Floats(floats) => Stored::Floats(&floats[place..][..len]),
        }
    }
}

impl Stored<'_> {
    fn is_constant(self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.windows(2).all(|pair| pair[0] == pair[1]),
            Self::Floats(floats) => floats.windows(2).all(|pair| pair[0] == pair[1]),
        }
    }

    fn equals(self, other: Self) -> bool {
        match (self, other) {
            (Self::Bytes(one), Self::Bytes(other)) => one == other,
            (Self::Floats(one), Self::Floats(other)) => one == other,
            (Self::Bytes(_), Self::Floats(_)) | (Self::Floats(_), Self::Bytes(_)) => false,
        }
    }

    fn hash(self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self {
            Self::Bytes(bytes) => bytes.hash(&mut hasher),
            // Zero and minus zero are equal, so they must hash alike.
            Self::Floats(floats) => floats.iter().for_each(|float| (float + 0.0).to_bits().hash(&mut hasher)),
        }
        hasher.finish()
    }
}
