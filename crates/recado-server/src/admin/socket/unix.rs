//! A Unix socket, of which the system tells who connects.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use tokio::net::UnixListener;

/// What connects.
pub(crate) type Stream = tokio::net::UnixStream;

/// The folder in the data folder that holds the socket and nothing else: its owner's alone, whatever the data folder is.
const FOLDER: &str = "admin";

/// The socket in it.
const SOCKET: &str = "socket";

/// Bytes of a path that a socket's address has room for (`sun_path`, with its end; macOS has the fewest).
const MAX_PATH: usize = 104;

/// A socket that listens. Its file goes with it.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Listens in the data folder, which this process holds: what is there already is left over from one that died.
    pub(crate) fn open(data_folder: &Path) -> io::Result<Self> {
        let folder = data_folder.join(FOLDER);
        make_private(&folder)?;
        let path = folder.join(SOCKET);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let short = ShortPath::of(&folder)?;
        let listener = UnixListener::bind(short.path())?;
        // Until here the folder alone keeps others out.
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Self { listener, path })
    }

    /// Waits for someone.
    pub(crate) async fn accept(&self) -> io::Result<Caller> {
        let (stream, _) = self.listener.accept().await?;
        let user = stream.peer_cred().map(|peer| peer.uid()).ok();
        Ok(Caller {
            may_operate: user.is_some_and(may_operate),
            stream,
            user,
        })
    }
}

/// Someone who connected.
pub(crate) struct Caller {
    pub(crate) stream: Stream,
    /// Whose process it is, as the system says.
    pub(crate) user: Option<u32>,
    pub(crate) may_operate: bool,
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Another server would replace it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Connects to the server that holds a data folder.
pub(crate) fn connect(data_folder: &Path) -> io::Result<std::os::unix::net::UnixStream> {
    let short = ShortPath::of(&data_folder.join(FOLDER))?;
    std::os::unix::net::UnixStream::connect(short.path())
}

/// Whether a socket is there; a server may have died and left it.
pub(crate) fn is_there(data_folder: &Path) -> bool {
    data_folder.join(FOLDER).join(SOCKET).exists()
}

/// Whether someone may operate this server: its own user, and root, who may do as they like anyway.
fn may_operate(user: u32) -> bool {
    let user = Uid::from_raw(user);
    user == nix::unistd::geteuid() || user.is_root()
}

/// The socket by a path that its address has room for.
enum ShortPath {
    Direct(PathBuf),
    /// Through the folder, which is open: however long its own path.
    #[cfg(target_os = "linux")]
    Descriptor {
        _open: fs::File,
        path: PathBuf,
    },
}

impl ShortPath {
    fn of(folder: &Path) -> io::Result<Self> {
        let direct = folder.join(SOCKET);
        if direct.as_os_str().len() < MAX_PATH {
            return Ok(Self::Direct(direct));
        }
        Self::through(folder)
    }

    #[cfg(target_os = "linux")]
    fn through(folder: &Path) -> io::Result<Self> {
        use std::os::fd::AsRawFd as _;

        let open = fs::File::open(folder)?;
        let path = format!("/proc/self/fd/{}/{SOCKET}", open.as_raw_fd());
        let path = path.into();
        Ok(Self::Descriptor { _open: open, path })
    }

    #[cfg(not(target_os = "linux"))]
    fn through(folder: &Path) -> io::Result<Self> {
        let path = folder.display();
        let error = format!("the path {path} is too long for a socket; take a shorter --data-dir");
        Err(io::Error::new(io::ErrorKind::InvalidInput, error))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Direct(path) => path,
            #[cfg(target_os = "linux")]
            Self::Descriptor { path, .. } => path,
        }
    }
}

/// Makes a folder its owner's alone, also where it is there already.
fn make_private(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(folder)?;
    let is_ours = found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw();
    if !is_ours {
        let error = format!("{} is not a folder of this user's", folder.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, error));
    }
    fs::set_permissions(folder, Permissions::from_mode(0o700))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[tokio::test]
    async fn one_that_was_left_over_is_replaced_and_the_path_may_be_as_long_as_any() {
        let home = tempfile::tempdir().unwrap();
        let long = home.path().join("d".repeat(200)).join("e".repeat(200));
        for data_folder in [home.path(), &long] {
            fs::create_dir_all(data_folder).unwrap();
            // Left over, and once as a plain file.
            std::mem::forget(Socket::open(data_folder).unwrap());
            assert!(is_there(data_folder));
            let socket = Socket::open(data_folder).unwrap();
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&socket.path), 0o600);
            assert_eq!(mode(socket.path.parent().unwrap()), 0o700);
            let accept = async {
                let caller = socket.accept().await.unwrap();
                assert!(caller.may_operate, "{:?}", caller.user);
                let mut stream = caller.stream.into_std().unwrap();
                stream.set_nonblocking(false).unwrap();
                stream.write_all(b"hello").unwrap();
            };
            let folder = data_folder.to_owned();
            let connected = tokio::task::spawn_blocking(move || {
                let mut said = String::new();
                connect(&folder).unwrap().read_to_string(&mut said).unwrap();
                said
            });
            accept.await;
            assert_eq!(connected.await.unwrap(), "hello");
            drop(socket);
            assert!(!is_there(data_folder));
            assert!(connect(data_folder).is_err());
        }
    }

    #[tokio::test]
    async fn a_folder_that_others_could_use_is_made_private_and_a_link_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(FOLDER);
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        drop(Socket::open(home.path()).unwrap());
        let mode = fs::metadata(&folder).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700);
        fs::remove_dir(&folder).unwrap();
        std::os::unix::fs::symlink("/tmp", &folder).unwrap();
        assert!(Socket::open(home.path()).is_err());
    }
}
