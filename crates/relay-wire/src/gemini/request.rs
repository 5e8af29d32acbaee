//! Requests for Google's accounts.

mod bounds;
mod model;
mod write;

pub use self::bounds::WRITES;
use crate::hub::{Request, Unsupported, Written};

/// Writes a request. The model and whether the answer is streamed stand in its address; what each
/// model takes is looked up by the request's model name.
pub fn write(request: &Request) -> Result<Written, Unsupported> {
    let written = write::write(request);
    let came = written.as_ref().map(|it| &it.losses).map_err(Some);
    debug_assert!(WRITES.hold(came), "undeclared: {came:?}");
    written
}
