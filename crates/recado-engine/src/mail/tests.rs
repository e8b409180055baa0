//! Random stories of two people, a server and their databases.
