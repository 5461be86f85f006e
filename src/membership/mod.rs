//! Attacks on models: who was among the examples that a model was trained on, and how small an epsilon that refutes.
//! [`privacy`](mod@crate::privacy) has them for users.

mod audit;
mod bound;
mod canaries;
mod inference;
mod likelihood_ratio;
mod score;
mod threshold;

pub use audit::CanaryAudit;
pub use canaries::Canaries;
pub use inference::MembershipInference;
pub use likelihood_ratio::likelihood_ratio;
pub use threshold::membership_inference;
