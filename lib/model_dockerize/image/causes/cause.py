"""A row of the table of causes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """The meaning of a tool's output that matches `sign`, and the remedy.

    `{package}` is the package that the tool was at, `{debian}` the Debian package of group `thing`, any other `{name}`
    its group (`name2`, `name3` in other branches). Empty sentence: the tool's own words.
    """

    sign: str
    sentence: str
    remedy: str


#: The Debian package of a program or header that builds ask for, where that is named otherwise.
DEBIAN = {
    **dict.fromkeys(("gcc", "cc", "x86_64-linux-gnu-gcc", "aarch64-linux-gnu-gcc"), "gcc and libc6-dev"),
    **dict.fromkeys(("g++", "c++", "x86_64-linux-gnu-g++", "aarch64-linux-gnu-g++", "cc1plus"), "g++"),
    **dict.fromkeys(("pg_config", "libpq-fe.h"), "libpq-dev, gcc and libc6-dev"),
    **dict.fromkeys(("CMAKE_C_COMPILER", "CMAKE_CXX_COMPILER"), "g++"),
    "pkg-config": "pkg-config, gcc, libc6-dev and the library's -dev package (default-libmysqlclient-dev for MySQL)",
    **dict.fromkeys(("cargo", "rustc", "Rust"), "cargo, gcc and libc6-dev"),
    "mysql_config": "default-libmysqlclient-dev, pkg-config, gcc and libc6-dev",
    "Python.h": "python3-dev",
    "lber.h": "libldap2-dev and libsasl2-dev",
    "sasl.h": "libsasl2-dev",
    "portaudio.h": "portaudio19-dev",
    "ffi.h": "libffi-dev",
    "ssl.h": "libssl-dev",
    "zlib.h": "zlib1g-dev",
    "xmlversion.h": "libxml2-dev and libxslt1-dev",
    "sql.h": "unixodbc-dev",
    "libGL.so.1": "libgl1 and libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libgomp.so.1": "libgomp1",
    "libsndfile.so.1": "libsndfile1",
    "libxcb.so.1": "libxcb1",
    "libSM.so.6": "libsm6",
    "libXext.so.6": "libxext6",
    "libXrender.so.1": "libxrender1",
    "libpq.so.5": "libpq5",
    "libmagic.so.1": "libmagic1",
}
