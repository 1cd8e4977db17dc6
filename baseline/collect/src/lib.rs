//! Collection planning: a kind's table of calls and its answers become resources.
