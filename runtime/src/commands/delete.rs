//! `delete`.

use libcontainer::error::ErrorKind;

use crate::args::{CommandLine, flags};
use crate::failure::Result;
use crate::notify;

/// Deletes a container. With --force it is no error if there is none, since engines clean up
/// without knowing, and what cannot be opened (the state is cut off) is removed.
pub(crate) fn run(line: &CommandLine) -> Result<u8> {
    let (root, id, force) = (line.root()?, line.args.id(), line.args.switch(&flags::FORCE));
    match root.open(id) {
        Ok(container) => container.delete(force)?,
        Err(error) if !force || error.kind() == ErrorKind::InvalidArgument => {
            return Err(error.into());
        }
        Err(error) => {
            let found = root.delete_remains(id)?;
            if !found && error.kind() != ErrorKind::NotFound {
                return Err(error.into());
            }
        }
    }
    notify::remove(root.path(), id);
    Ok(0)
}
