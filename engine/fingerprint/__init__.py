"""A digest of a declaration and of all code behind it, the same in every process that would compute the same.

    program     the fingerprint of a problem with its solver and settings, under which results are kept
    hasher      a digest of values, line by line
    own         what this project made: by name, as `backends.pristine` vouches for its code
    users       users' functions, by all that they can read
    reads       what a function's bytecode reads
    classes     users' classes and objects, taken apart
    pure        what a user's function may use of Python and its libraries
    genuine     whether those still hold what is theirs

An import goes down this list, never up.
"""
