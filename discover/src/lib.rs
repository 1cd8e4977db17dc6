//! Every account on one list: sources reconciled into an estate.
