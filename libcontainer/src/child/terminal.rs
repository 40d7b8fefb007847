//! The container's terminal: a pty of its own devpts. The name of a pty is never looked up, so an
//! image cannot put something else there (CVE-2025-52565).

use super::{Context, Kind};
use crate::sys::file::{self, Resolve};
use crate::sys::{Errno, Result, mount, tty};
use std::os::fd::RawFd;

/// Sessions of a container that lie in wait for new terminals have as many before we give up.
const MOST_TAKEN: usize = 8;

const DEVPTS_SUPER_MAGIC: libc::c_long = 0x1cd1;

impl Context<'_> {
    /// Opens a pty, binds its container side to `/dev/console` if wanted, and sends the other side
    /// to the parent.
    pub(super) fn terminal(&mut self, console: bool, size: Option<(u16, u16)>) -> Result<()> {
        let (master, slave) = self.open_pty()?;
        if let Some((rows, columns)) = size {
            tty::set_size(slave, rows, columns)?;
        }
        if console {
            self.console(slave)?;
        }
        self.state.tty = slave;
        self.send(Kind::Terminal, 0, Some(master))?;
        file::close(master);
        Ok(())
    }

    /// A pty that nobody else can open, until the parent unlocks it: by then it is the controlling terminal
    /// of the process, where others cannot take it. Whoever was quicker than the lock keeps what he has, and
    /// cannot take another.
    fn open_pty(&mut self) -> Result<(RawFd, RawFd)> {
        for _ in 0..MOST_TAKEN {
            let master = self.open_ptmx()?;
            let slave = tty::open_peer(master)?;
            if !tty::is_taken(master)? {
                return Ok((master, slave));
            }
            self.state.scratch.push(master);
            self.state.scratch.push(slave);
        }
        Err(Errno(libc::EBUSY))
    }

    fn open_ptmx(&mut self) -> Result<RawFd> {
        let root = self.root()?;
        let flags = libc::O_RDWR | libc::O_NOCTTY;
        let ptmx = file::openat2(root, c"dev/pts/ptmx", flags, Resolve::InRoot)?;
        if file::filesystem_magic(ptmx)? != DEVPTS_SUPER_MAGIC {
            return Err(Errno(libc::ENOTTY));
        }
        Ok(ptmx)
    }

    fn console(&mut self, slave: RawFd) -> Result<()> {
        let root = self.root()?;
        let directory =
            file::openat2(root, c"dev", libc::O_PATH | libc::O_DIRECTORY, Resolve::InRoot)?;
        let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDONLY;
        let target = match file::openat(directory, c"console", flags, 0o620) {
            Err(Errno(libc::EEXIST)) => super::devices::existing_file(directory, c"console")?,
            made => made?,
        };
        let tree = mount::open_tree(slave, c"", false)?;
        mount::move_mount(tree, target)?;
        for fd in [directory, target, tree] {
            self.state.scratch.push(fd);
        }
        Ok(())
    }

    /// The terminal becomes stdin, stdout and stderr.
    pub(super) fn stdio(&mut self) -> Result<()> {
        (0..3).try_for_each(|fd| file::dup_to(self.state.tty, fd))
    }
}
