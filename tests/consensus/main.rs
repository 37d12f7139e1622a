//! What strong consistency is measured with: the checker of histories, and what shows that it sees.

mod checker;
mod planted;
mod published;
mod random;
mod script;
