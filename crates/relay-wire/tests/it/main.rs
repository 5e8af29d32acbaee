//! The one integration binary of `relay-wire`: whole streams, and speed.

mod meter;
mod speed;
