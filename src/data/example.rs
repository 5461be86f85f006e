//! One example of a data set.

use super::Dataset;
use ndarray::{Array1, Array3, ArrayView1, Axis};

/// One example of a [`Dataset`]: [`get`](Dataset::get) and [`iter`](Dataset::iter) give it. Its pixels are copied only
/// where they are asked for.
///
/// ```
/// use inkstone::Dataset;
/// use inkstone::ndarray::Array4;
/// let images = Array4::from_shape_fn((3, 2, 2, 1), |(n, ..)| 51 * n as u8);
/// let dataset = Dataset::from_bytes(images, vec![7, 8, 9])?;
/// let example = dataset.get(2).unwrap();
/// assert_eq!((example.index(), example.label()), (2, Some(9)));
/// assert_eq!(example.image()[[0, 0, 0]], 0.4);
/// assert!(dataset.get(3).is_none());
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Example<'a> {
    dataset: &'a Dataset,
    index: usize,
}

impl<'a> Example<'a> {
    /// Its place in the data set.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its class, if the data set has classes.
    #[must_use]
    pub fn label(&self) -> Option<usize> {
        self.dataset.labels().get(self.index).copied()
    }

    /// Its name, if [the examples have names](Dataset::with_ids).
    #[must_use]
    pub fn id(&self) -> Option<&'a str> {
        self.dataset.ids().nth(self.index)
    }

    /// The target values, (outputs), if the data set has any, and they are no images.
    #[must_use]
    pub fn values(&self) -> Option<ArrayView1<'a, f32>> {
        self.dataset.values().map(|values| values.index_axis_move(Axis(0), self.index))
    }

    /// The image that it should come out as, (H, W, C), if the data set has such.
    #[must_use]
    pub fn target_image(&self) -> Option<Array3<f32>> {
        self.dataset.target_images()?.get(self.index).map(|target| target.image())
    }

    /// Its image as the model sees it: (H, W, C); of the row of a table (1, 1, F).
    #[must_use]
    pub fn image(&self) -> Array3<f32> {
        self.dataset.range_of(self.index..self.index + 1).images().index_axis_move(Axis(0), 0)
    }

    /// Its features as the model sees them: (F), of an image pixel by pixel.
    #[must_use]
    pub fn features(&self) -> Array1<f32> {
        self.image().flatten().into_owned()
    }
}

impl Dataset {
    /// The example at this place; `None` past the last one.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Example<'_>> {
        (index < self.len()).then_some(Example { dataset: self, index })
    }

    /// The examples, one after the other.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::array;
    /// let dataset = Dataset::from_table(array![[1.0, 2.0], [3.0, 4.0]], vec![0, 1])?;
    /// for example in &dataset {
    ///     println!("{:?}: {}", example.label(), example.features());
    /// }
    /// let sums: Vec<f32> = dataset.iter().map(|example| example.features().sum()).collect();
    /// assert_eq!(sums, [3.0, 7.0]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn iter(&self) -> ExampleIter<'_> {
        ExampleIter { dataset: self, next: 0 }
    }
}

/// The examples of a [`Dataset`], one after the other: [`Dataset::iter`] makes it.
#[derive(Clone, Debug)]
pub struct ExampleIter<'a> {
    dataset: &'a Dataset,
    next: usize,
}

impl<'a> Iterator for ExampleIter<'a> {
    type Item = Example<'a>;

    fn next(&mut self) -> Option<Example<'a>> {
        let example = self.dataset.get(self.next)?;
        self.next += 1;
        Some(example)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.dataset.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for ExampleIter<'_> {}

impl<'a> IntoIterator for &'a Dataset {
    type Item = Example<'a>;
    type IntoIter = ExampleIter<'a>;

    fn into_iter(self) -> ExampleIter<'a> {
        self.iter()
    }
}
