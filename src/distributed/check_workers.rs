//! The checks of an executor: whether its workers have the package, and reach the place.
//!
//! Invariant: every slot was asked once, though one worker may have answered for several.

use crate::config::Config;
use crate::distributed::protocol;
use crate::distributed::protocol::{Shard, ShardResult, ShardWork};
use crate::doctor::{Diagnostics, Finding, failed};
use crate::error::{Error, ErrorKind, Result, shown};
use crate::location::Location;
use crate::runtime::executor::Executor;

/// Has every slot of `executor` examine the place.
pub fn examine(sheet: &mut Diagnostics, executor: &dyn Executor, config: &Config, location: &Location) -> Result<()> {
    let name = executor.name();
    // A file that workers must see, if the place is a folder.
    let probe = match location {
        Location::Local(path) => path.ancestors().find(|ancestor| ancestor.is_dir()).and_then(|folder| {
            let folder = std::path::absolute(folder).ok()?;
            tempfile::Builder::new().prefix("doctor").tempfile_in(folder).ok()
        }),
        Location::Object(_) => None,
    };
    let lake = match location {
        Location::Local(path) => shown(&std::path::absolute(path).unwrap_or_else(|_| path.clone())),
        Location::Object(place) => place.to_string(),
    };
    let shard = Shard {
        package: env!("CARGO_PKG_VERSION").to_owned(),
        options: protocol::options(&config.to_texts(), executor),
        lake,
        run: "doctor".to_owned(),
        work: ShardWork::Examine(probe.as_ref().map(|probe| probe.path().to_string_lossy().into_owned())),
    };
    sheet.check("workers", || {
        let shard = serde_json::to_vec(&shard)
            .map_err(|error| Error::new(ErrorKind::Internal, "a shard cannot be told").cause(error.to_string()))?;
        let slots = executor.slots();
        executor.map(vec![shard; slots], &mut |_, bytes| match protocol::from_bytes(bytes)?.0 {
            ShardResult::Examined(found) => {
                found.into_iter().find(|check| check.exit_code != 0).map_or(Ok(()), |check| {
                    let kind = ErrorKind::from_exit_code(check.exit_code);
                    let detail = format!("on a worker of {name}, {} failed: {}", check.name, check.detail);
                    Err(failed(kind.unwrap_or(ErrorKind::Output), detail, "see to it on every worker"))
                })
            }
            ShardResult::Failed(failure) => Err(failure.into_error()),
            _ => Err(Error::new(ErrorKind::Internal, "a worker answered something else")),
        })?;
        let version = env!("CARGO_PKG_VERSION");
        Ok(Finding::Passed(format!("{name}: {slots} slots have sparkify-lake {version} and reach the place")))
    })?;
    Ok(())
}
