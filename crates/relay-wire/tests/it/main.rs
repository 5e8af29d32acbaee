//! The one integration binary of `relay-wire`: whole streams.

mod meter;
