//! [Fashion-MNIST](https://github.com/zalandoresearch/fashion-mnist) (Xiao, Rasul, Vollgraf, 2017; MIT licence): 70,000
//! pictures of clothes in MNIST's form, and harder.

use super::Dataset;
use super::family::{Family, Sum};
use crate::error::Result;

/// What each label stands for.
pub const CLASSES: [&str; 10] =
    ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];

const FAMILY: Family = Family {
    name: "Fashion-MNIST",
    folder: "fashion_mnist",
    torchvision: "FashionMNIST/raw",
    mirrors: &[
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "http://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    ],
    sums: [
        Sum::Archive { bytes: 26_421_880, sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84" },
        Sum::Archive { bytes: 29_515, sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845" },
        Sum::Archive { bytes: 4_422_102, sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073" },
        Sum::Archive { bytes: 5_148, sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5" },
    ],
};

/// Loads Fashion-MNIST: the training and the test set, as [`mnist::load_data`](super::mnist::load_data) does MNIST,
/// from or into the folder `fashion_mnist` of `$INKSTONE_DATA`, of `./data`, or of `inkstone` in the user's cache
/// folder.
///
/// # Errors
/// As [`mnist::load_data`](super::mnist::load_data).
///
/// ```no_run
/// use inkstone::data::fashion_mnist;
/// let (train, test) = fashion_mnist::load_data()?;
/// assert_eq!((train.len(), test.len()), (60_000, 10_000));
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn load_data() -> Result<(Dataset, Dataset)> {
    FAMILY.load_data()
}
