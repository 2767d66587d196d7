//! What a run did, what a run would do, and what both cost.

pub mod dry_run;
pub mod lake_status;
pub mod request_cost;
pub mod run_report;
pub mod work_estimate;
