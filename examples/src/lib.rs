//! Small programs that run as printed; see the bins.
