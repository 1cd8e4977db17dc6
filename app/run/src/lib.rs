//! The pipeline that joins the layers.
