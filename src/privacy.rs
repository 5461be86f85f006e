//! How much a model may tell of each example it was trained on, by proof and by attack: the accountant of differentially
//! private training gives what a model tells at most, attacks and audits what it tells at least.
//!
//! # What is guaranteed
//!
//! A training is *(epsilon, delta) differentially private* if no outcome is more than `exp(epsilon)` times as probable with
//! an example as without it, but for outcomes of the probability `delta`. Two data sets are neighbours where one has an
//! example more (add or remove one): this is the relation that DP-SGD is usually reported for, and dp-accounting's default.
//! Where examples are pairs, or a person has several, the guarantee is for one example.
//!
//! The guarantee is that of DP-SGD ([Abadi et al., 2016](https://arxiv.org/abs/1607.00133)), and needs all of it:
//!
//! - *Poisson sampling*: each step takes each example with the probability `sampling_rate`, independently of the others and of
//!   earlier steps, so that batches differ in size. Batches of a fixed size from shuffled data do not have this guarantee.
//! - The gradient of *each example* is clipped to a norm, all weights and biases together, and the gradients are summed up.
//! - Gaussian noise is added to the sum; its standard deviation is `noise_multiplier` times that norm.
//! - The sum is divided by a number that does not depend on the data: the expected batch size, not the actual one.
//!
//! # How it is found
//!
//! [`Accountant`] adds up what steps tell. Its [`epsilon`](Accountant::epsilon) is never too small: wherever something is
//! rounded or cut off, it is to the larger side.
//!
//! | [`AccountantMethod`] | what it is | sources |
//! | --- | --- | --- |
//! | `Pld`, the default | the distribution of the privacy loss, composed by the fast Fourier transform: within about 0.02 % of the exact epsilon | [Koskela et al., 2020](https://arxiv.org/abs/1906.03049), [Doroshenko et al., 2022](https://arxiv.org/abs/2207.04380) |
//! | `Rdp` | Rényi differential privacy, by which most published values were found: 5 to 15 % larger | [Mironov, 2017](https://arxiv.org/abs/1702.07476), [Mironov et al., 2019](https://arxiv.org/abs/1908.10530), [Balle et al., 2020](https://arxiv.org/abs/1905.09982), [Canonne et al., 2020](https://arxiv.org/abs/2004.00010) |
//!
//! ```
//! use inkstone::privacy::{epsilon, noise_multiplier_for};
//! // 15 epochs on MNIST in batches of about 256.
//! let sampling_rate = 256.0 / 60_000.0;
//! let steps = 15 * 60_000 / 256;
//! assert!((epsilon(sampling_rate, 1.3, steps, 1e-5)? - 0.8644).abs() < 1e-4);
//! // The noise that a budget of 1 needs.
//! let noise_multiplier = noise_multiplier_for(1.0, 1e-5, sampling_rate, steps)?;
//! assert!((noise_multiplier - 1.2).abs() < 0.02);
//! assert!(epsilon(sampling_rate, noise_multiplier, steps, 1e-5)? <= 1.0);
//! # Ok::<(), inkstone::Error>(())
//! ```
//!
//! # Attacks
//!
//! | | what it finds | sources |
//! | --- | --- | --- |
//! | [`membership_inference`] | who was among the examples, by the loss of each | [Yeom et al., 2018](https://arxiv.org/abs/1709.01604) |
//! | [`likelihood_ratio`] | the same, compared with models trained with each example and without it | [Carlini et al., 2022](https://arxiv.org/abs/2112.03570) |
//! | [`Canaries`] | a lower bound on epsilon, from one training | [Steinke, Nasr and Jagielski, 2023](https://arxiv.org/abs/2305.08846) |
//!
//! An attack that finds little proves nothing: a better one may find more. One that finds more than the accountant allows
//! proves that something is wrong.

#[cfg(feature = "privacy")]
pub use crate::accounting::DpSgd;
pub use crate::accounting::{Accountant, AccountantMethod, epsilon, noise_multiplier_for};
pub use crate::membership::{Canaries, CanaryAudit, MembershipInference, likelihood_ratio, membership_inference};
