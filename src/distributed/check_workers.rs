//! Checks the workers of an executor: they need the same version of the package, and access to a location.
//!
//! Invariant: one check runs per slot; a worker with several slots may answer more than once.

use crate::config::Config;
use crate::distributed::protocol::{self, Shard, ShardResult, ShardWork};
use crate::doctor::{Diagnostics, Finding, failed};
use crate::error::{Error, ErrorKind, Result, shown};
use crate::location::Location;
use crate::runtime::executor::Executor;

/// Adds the check of the workers to `diagnostics`: every slot of `executor` examines the location.
pub(crate) fn examine(
    diagnostics: &mut Diagnostics,
    executor: &dyn Executor,
    config: &Config,
    location: &Location,
) -> Result<()> {
    let name = executor.name();
    // If the location is a folder, all workers must see this file.
    let probe = match location {
        Location::Local(path) => path.ancestors().find(|ancestor| ancestor.is_dir()).and_then(|folder| {
            let folder = std::path::absolute(folder).ok()?;
            tempfile::Builder::new().prefix("doctor").tempfile_in(folder).ok()
        }),
        Location::Object(_) => None,
    };
    let lake = match location {
        Location::Local(path) => shown(&std::path::absolute(path).unwrap_or_else(|_| path.clone())),
        Location::Object(path) => path.to_string(),
    };
    let shard = Shard {
        package: env!("CARGO_PKG_VERSION").to_owned(),
        options: protocol::options(&config.to_texts(), executor),
        lake,
        run: "doctor".to_owned(),
        work: ShardWork::Examine(probe.as_ref().map(|probe| probe.path().to_string_lossy().into_owned())),
    };
    diagnostics.check("workers", || {
        let shard = serde_json::to_vec(&shard)
            .map_err(|error| Error::new(ErrorKind::Internal, "a shard cannot be encoded").cause(error.to_string()))?;
        let slots = executor.slots();
        executor.map(vec![shard; slots], &mut |_, bytes| match protocol::from_bytes(bytes)?.0 {
            ShardResult::Examined(checks) => {
                checks.into_iter().find(|check| check.exit_code != 0).map_or(Ok(()), |check| {
                    let kind = ErrorKind::ALL.into_iter().find(|kind| kind.exit_code() == check.exit_code);
                    let detail = format!("on a worker of {name}, {} failed: {}", check.name, check.detail);
                    Err(failed(kind.unwrap_or(ErrorKind::Output), detail, "correct this on every worker"))
                })
            }
            ShardResult::Failed(failure) => Err(failure.into_error()),
            _ => Err(Error::new(ErrorKind::Internal, "a worker returned the result of another task")),
        })?;
        let version = env!("CARGO_PKG_VERSION");
        Ok(Finding::Passed(format!("{name}: {slots} slots have sparkify-lake {version} and reach the location")))
    })?;
    Ok(())
}
