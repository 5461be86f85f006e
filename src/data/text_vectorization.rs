//! Texts made tokens: how they are cut into words, and which words have a number.

use super::pad_sequences::PadSequences;
use crate::error::{Error, Result};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::HashMap;

/// The token of padding.
const PADDING: &str = "";
/// The token of every word that has none of its own.
const UNKNOWN: &str = "[UNK]";
/// How many tokens stand for no word.
const SPECIAL: usize = 2;

/// Makes tokens of texts, as [Keras'
/// `TextVectorization`](https://keras.io/api/layers/preprocessing_layers/text/text_vectorization/) with its defaults
/// does: ASCII letters become small, ASCII punctuation is left out, and what white space separates is a word. Words are
/// numbered by how often they occur, from 2 on; token 0 is padding, and 1 (`[UNK]`) a word that has no number.
///
/// [`Model::set_text_vectorization`](crate::Model::set_text_vectorization) saves it with a model.
///
/// ```
/// use inkstone::data::TextVectorization;
/// use inkstone::ndarray::array;
/// let mut words = TextVectorization::new().max_tokens(4).output_sequence_length(5);
/// words.adapt(["A good film!", "a film, a bad film", "not good"])?;
/// assert_eq!(words.vocabulary(), ["", "[UNK]", "film", "a"]);
/// assert_eq!(words.tokens(["A film.", "A bad, bad, bad, bad film"])?, array![[3, 2, 0, 0, 0], [3, 1, 1, 1, 1]]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct TextVectorization {
    max_tokens: Option<usize>,
    output_sequence_length: Option<usize>,
    /// From token 2 on.
    words: Vec<String>,
    numbers: HashMap<String, u32>,
}

/// How it is written.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    max_tokens: Option<usize>,
    output_sequence_length: Option<usize>,
    words: Vec<String>,
}

impl From<TextVectorization> for Written {
    fn from(TextVectorization { max_tokens, output_sequence_length, words, .. }: TextVectorization) -> Self {
        Self { max_tokens, output_sequence_length, words }
    }
}

impl TryFrom<Written> for TextVectorization {
    type Error = Error;

    fn try_from(Written { max_tokens, output_sequence_length, words }: Written) -> Result<Self> {
        Self { max_tokens, output_sequence_length, ..Self::default() }.with_words(words)
    }
}

impl TextVectorization {
    /// One that knows no words, has no limit of tokens, and pads texts to the longest.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    option_setters! {
        /// Sets the most tokens that [`adapt`](Self::adapt) numbers, padding and `[UNK]` among them: what an
        /// [`Embedding`](crate::layers::Embedding) has as `input_dim`.
        max_tokens: usize,

        /// Sets the length of all rows: longer texts are cut off at their end, shorter ones padded there.
        output_sequence_length: usize,
    }

    /// Numbers the words of texts by how often they occur, the most frequent first; of words that occur equally often
    /// the one later in the order of bytes comes first, as in Keras. Forgets the words that it knew.
    ///
    /// # Errors
    /// [`Error::Setting`] if there may be less than three tokens.
    pub fn adapt<T: AsRef<str>>(&mut self, texts: impl IntoIterator<Item = T>) -> Result<()> {
        let most = self.max_tokens.unwrap_or(usize::MAX);
        if most <= SPECIAL {
            let expected = "at least 3, as token 0 is padding and 1 an unknown word";
            return Err(Error::Setting { name: "max_tokens", expected, received: most.to_string() });
        }
        let mut counts: HashMap<String, usize> = HashMap::new();
        for text in texts {
            for word in words_of(&standardized(text.as_ref())) {
                match counts.get_mut(word) {
                    Some(count) => *count += 1,
                    None => drop(counts.insert(word.to_owned(), 1)),
                }
            }
        }
        let mut counted: Vec<(String, usize)> = counts.into_iter().collect();
        counted.sort_unstable_by(|(word, count), (other, other_count)| {
            (Reverse(count), Reverse(word)).cmp(&(Reverse(other_count), Reverse(other)))
        });
        counted.truncate(most - SPECIAL);
        *self = std::mem::take(self).with_words(counted.into_iter().map(|(word, _)| word).collect())?;
        Ok(())
    }

    /// The same with these words, from token 2 on, instead of counted ones.
    ///
    /// # Errors
    /// [`Error::Data`] if a word comes twice, or is one of the two that stand for none.
    pub fn with_words(mut self, words: Vec<String>) -> Result<Self> {
        self.numbers = HashMap::with_capacity(words.len());
        for (place, word) in words.iter().enumerate() {
            let number = u32::try_from(place + SPECIAL).unwrap_or(u32::MAX);
            if self.numbers.insert(word.clone(), number).is_some() || [PADDING, UNKNOWN].contains(&word.as_str()) {
                return Err(Error::Data(format!(
                    "words of a vocabulary must be different, and other than {PADDING:?} and {UNKNOWN:?}, got {word:?} at index \
                     {place}"
                )));
            }
        }
        Ok(Self { words, ..self })
    }

    /// What each token stands for: padding, unknown words, then the words.
    #[must_use]
    pub fn vocabulary(&self) -> Vec<&str> {
        [PADDING, UNKNOWN].into_iter().chain(self.words.iter().map(String::as_str)).collect()
    }

    /// How many tokens there are: the `input_dim` of an [`Embedding`](crate::layers::Embedding).
    #[must_use]
    pub fn vocabulary_size(&self) -> usize {
        self.words.len() + SPECIAL
    }

    /// The tokens of texts, (texts, steps): rows as long as was set, or as the longest text.
    ///
    /// # Errors
    /// [`Error::Data`] if it knows no words yet, or all texts are empty and no length was set.
    pub fn tokens<T: AsRef<str>>(&self, texts: impl IntoIterator<Item = T>) -> Result<Array2<u32>> {
        if self.words.is_empty() {
            return Err(Error::Data("the vectorization knows no words: `adapt` it to texts first".into()));
        }
        let number = |word: &str| self.numbers.get(word).copied().unwrap_or(1);
        let tokens = |text: T| words_of(&standardized(text.as_ref())).map(number).collect();
        let rows: Vec<Vec<u32>> = texts.into_iter().map(tokens).collect();
        PadSequences::at_end(self.output_sequence_length).rows(&rows)
    }
}

/// A text in small letters, without punctuation.
fn standardized(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_ascii_punctuation()).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// What ASCII white space separates.
fn words_of(text: &str) -> impl Iterator<Item = &str> {
    let is_space = |letter: char| matches!(letter, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r');
    text.split(is_space).filter(|word| !word.is_empty())
}
