//! Collection planning: a kind's table of calls and the answers to them become resources.
//!
//! Nothing here makes a call. Given what is known of an item so far, [`Item::next`] names the next call and
//! [`Item::tell`] takes its answer; [`Item::finish`] turns the raw document into a resource. So the same code collects
//! from a cloud, from recorded answers, and from documents made by hand in a test.

mod decode;
mod fields;
mod item;
mod names;

pub use decode::{DecodeError, decode};
pub use fields::{convert, field_value, live_fields, policy};
pub use item::{Ask, Finished, Item, Told, list_ask, page_items, unread_id};
pub use names::{Names, Scope};
