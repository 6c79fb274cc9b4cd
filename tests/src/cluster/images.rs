//! The images of a node. Nothing is pulled: real programs of this machine stand in for the base images that the
//! Dockerfiles below `docker/` name, and the Dockerfiles themselves are built on those.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use super::node::{Node, run};
use crate::programs::{self, K6, repository};

/// The image of which each pod has a container that does nothing but keep the pod's namespaces.
pub const PAUSE: &str = "pause:1";

/// A shell with the usual small programs (`sleep`, `wget`, `nc`…).
pub const BUSYBOX: &str = "busybox:1";

/// What `docker/agent.Dockerfile` makes.
pub const AGENT: &str = "tminus-k6:1";

/// What `docker/scheduler.Dockerfile` makes.
pub const SCHEDULER: &str = "tminus-scheduler:1";

/// k6 v1 and nothing else, as people have it who start it in another way.
pub const PLAIN_K6: &str = "k6:1";

/// What the programs of the busybox image are called.
const SMALL_PROGRAMS: [&str; 12] = [
    "cat", "date", "echo", "false", "ls", "nc", "sh", "sleep", "test", "touch", "true", "wget",
];

/// Builds all images and hands them to containerd.
pub fn build(node: &Node<'_>) {
    let builder = Builder::new(node);
    builder.busybox();
    let compiler = builder.compiler();
    builder.agent(&compiler);
    builder.scheduler(&compiler);
    for image in [PAUSE, BUSYBOX, AGENT, SCHEDULER] {
        builder.hand_over(image);
    }
}

/// Builds [`PLAIN_K6`], which few need, and hands it to containerd.
pub fn build_plain_k6(node: &Node<'_>) {
    let builder = Builder::new(node);
    builder.plain_k6();
    builder.hand_over(PLAIN_K6);
}

struct Builder<'a> {
    node: &'a Node<'a>,
    folder: PathBuf,
}

impl<'a> Builder<'a> {
    fn new(node: &'a Node<'a>) -> Self {
        let folder = node.keeper.folder().join("images");
        // It is there if this is not the first one.
        fs::create_dir_all(&folder).unwrap();
        // Images need not be signed, and short names are those of images that there are.
        let policy = r#"{"default": [{"type": "insecureAcceptAnything"}]}"#;
        fs::write(folder.join("policy.json"), policy).unwrap();
        fs::write(folder.join("registries.conf"), "").unwrap();
        Self { node, folder }
    }

    fn busybox(&self) {
        let programs = self.context("busybox", "FROM scratch\nCOPY bin /bin\n");
        let busybox = self.node.programs.unpacked("bin/busybox");
        place(&busybox, &programs.join("bin/busybox"));
        for name in SMALL_PROGRAMS {
            symlink("busybox", programs.join("bin").join(name)).unwrap();
        }
        self.bud(&programs, &programs.join("Dockerfile"), BUSYBOX);

        let file = format!("FROM {BUSYBOX}\nENTRYPOINT [\"/bin/sleep\", \"2147483647\"]\n");
        let pause = self.context("pause", &file);
        self.bud(&pause, &pause.join("Dockerfile"), PAUSE);
    }

    /// Stands in for what builds our programs in a Dockerfile: it does nothing, since they have been built already.
    fn compiler(&self) -> PathBuf {
        let compiler = self.context("compiler", &format!("FROM {BUSYBOX}\nCOPY bin /bin\n"));
        for name in ["apk", "cargo"] {
            script(&compiler.join("bin").join(name), "#!/bin/sh\n");
        }
        compiler
    }

    fn agent(&self, compiler: &Path) {
        let agent = programs::agent();
        let k6 = self.base("k6", "scratch", &agent);
        place(&K6::V2.program().unwrap(), &k6.join("usr/bin/k6"));
        let bases = [("RUST_IMAGE", compiler), ("K6_IMAGE", &k6)];
        self.build_ours("agent", bases, &agent, AGENT);
    }

    fn plain_k6(&self) {
        let file = "FROM scratch\nCOPY usr /usr\nENV PATH=/usr/bin\nUSER 12345:12345\n";
        let k6 = self.context("plain-k6", file);
        place(&K6::V1.program().unwrap(), &k6.join("usr/bin/k6"));
        self.bud(&k6, &k6.join("Dockerfile"), PLAIN_K6);
    }

    fn scheduler(&self, compiler: &Path) {
        let scheduler = programs::scheduler();
        let base = self.base("pipeline", BUSYBOX, &scheduler);
        let bases = [("RUST_IMAGE", compiler), ("BASE_IMAGE", &base)];
        self.build_ours("scheduler", bases, &scheduler, SCHEDULER);
    }

    /// A base for a program of ours, which needs no libraries where it is linked statically, as a release is; those
    /// that the one built for the tests needs are here.
    fn base(&self, name: &str, from: &str, program: &Path) -> PathBuf {
        let file = format!("FROM {from}\nCOPY . /\nENV PATH=/usr/bin:/bin\n");
        let base = self.context(name, &file);
        for library in libraries(program) {
            place(&library, &base.join(library.strip_prefix("/").unwrap()));
        }
        base
    }

    /// Builds an image as its Dockerfile says, on stand-ins for the bases that it names.
    fn build_ours(&self, name: &str, bases: [(&str, &Path); 2], program: &Path, image: &str) {
        let dockerfile = repository().join(format!("docker/{name}.Dockerfile"));
        for (argument, stand_in) in bases {
            let named = default_of(argument, &dockerfile);
            self.bud(stand_in, &stand_in.join("Dockerfile"), &named);
        }
        let context = self.context(name, "");
        let release = context.join("target/release");
        fs::create_dir_all(&release).unwrap();
        // What a debugger needs of it is most of it.
        let mut strip = Command::new("strip");
        strip.arg(program).arg("-o");
        run(strip.arg(release.join(program.file_name().unwrap())));
        self.bud(&context, &dockerfile, image);
    }

    /// An empty folder to build an image from.
    fn context(&self, name: &str, dockerfile: &str) -> PathBuf {
        let folder = self.folder.join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
        folder
    }

    fn bud(&self, context: &Path, dockerfile: &Path, tag: &str) {
        let mut command = self.buildah("bud");
        command
            .args(["--isolation=chroot", "--pull-never", "--tag", tag, "--file"])
            .args([dockerfile, context]);
        run(&mut command);
    }

    fn hand_over(&self, image: &str) {
        let archive = self.folder.join(format!("{image}.tar"));
        let mut push = self.buildah("push");
        // A colon in the path would end it.
        let archive = PathBuf::from(archive.display().to_string().replace(':', "-"));
        push.arg(image)
            .arg(format!("docker-archive:{}:{image}", archive.display()));
        run(&mut push);
        run(self.node.ctr().args(["images", "import"]).arg(&archive));
        fs::remove_file(archive).unwrap();
    }

    fn buildah(&self, what: &str) -> Command {
        let mut command = self
            .node
            .enter(self.node.programs.unpacked("usr/bin/buildah"));
        command
            .args([
                "--root=/run/images",
                "--runroot=/run/images-state",
                "--storage-driver=overlay",
            ])
            .arg(what)
            .arg("--signature-policy")
            .arg(self.folder.join("policy.json"))
            .env(
                "CONTAINERS_REGISTRIES_CONF",
                self.folder.join("registries.conf"),
            )
            .env("HOME", &self.folder);
        command
    }
}

/// What a Dockerfile says where an argument is not given.
fn default_of(argument: &str, dockerfile: &Path) -> String {
    let text = fs::read_to_string(dockerfile).unwrap();
    let start = format!("ARG {argument}=");
    let found = text.lines().find_map(|line| line.strip_prefix(&start));
    found
        .unwrap_or_else(|| panic!("no {start}… in {}", dockerfile.display()))
        .to_owned()
}

/// The shared libraries that a program of this machine is run with, and what loads them.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let listed = run(Command::new("ldd").arg(program));
    let paths = listed
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    paths.map(PathBuf::from).collect()
}

/// Copies a file to where an image is built from, whose folders are made.
fn place(file: &Path, destination: &Path) {
    fs::create_dir_all(destination.parent().unwrap()).unwrap();
    fs::copy(file, destination).unwrap();
}

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
