//! The results of a job as data: reports, dry runs, lake status, and request costs.

pub mod dry_run;
pub mod lake_status;
pub mod request_cost;
pub mod run_report;
pub(crate) mod work_estimate;
