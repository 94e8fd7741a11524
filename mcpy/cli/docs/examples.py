"""The examples of the man pages: for each page, what one wants and the line to type.

A test parses every line against the command tree, so that none can name an option that is gone.
"""

from __future__ import annotations

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "mcpy": (
        ("See the whole job done on a sandbox, with proof", "mcpy quickstart"),
        (
            "Name a server; the secret key comes from a variable",
            "mcpy alias set prod https://s3.example.com ADMIN --secret-key-env S3_SECRET",
        ),
        ("Encrypt new objects in a bucket by default", "mcpy encrypt set sse-s3 prod/backups"),
    ),
    "mcpy alias": (
        ("Ask for both keys", "mcpy alias set prod https://s3.example.com"),
        (
            "Take the secret key from a password manager",
            'mcpy alias set prod https://s3.example.com ADMIN --secret-key-command "pass s3/prod"',
        ),
        (
            "Remember the KES behind it",
            "mcpy alias set prod https://s3.example.com ADMIN --secret-key-env S3_SECRET "
            "--kes-server https://kes.example.com:7373 --kes-cert root.cert --kes-key root.key",
        ),
        ("Take over the aliases of mc", "mcpy alias import --from-mc"),
    ),
    "mcpy encrypt": (
        ("By the server's default key", "mcpy encrypt set sse-s3 prod/backups"),
        ("By a key of its own", "mcpy encrypt set sse-kms finance-key prod/invoices"),
        ("Stop a script when a bucket has no default", "mcpy encrypt info prod/backups"),
        (
            "Encrypt what is there already, older versions too",
            "mcpy encrypt objects prod/backups --to sse-s3 --versions",
        ),
        (
            "Take all versions from one key to another",
            "mcpy encrypt rotate prod/invoices --from finance-key --to finance-key-2027",
        ),
        ("Write what is there into a file", "mcpy encrypt plan --export prod"),
        ("End with 3 in CI when something differs from it", "mcpy encrypt plan encryption.toml"),
        ("Make it so", "mcpy encrypt apply encryption.toml"),
        ("What is encrypted, and how, on a page to show", "mcpy encrypt audit --html a.html prod"),
        (
            "Fail in CI unless every version is under one key",
            "mcpy encrypt audit --require sse-kms:finance-key prod/invoices",
        ),
        ("What would be lost without a key", "mcpy encrypt impact finance-key prod"),
        (
            "Which keys stand between the KMS and this object",
            "mcpy encrypt explain prod/invoices/1",
        ),
    ),
    "mcpy admin": (
        (
            "Tell a MinIO service on this host which KES and key to use",
            "mcpy admin kms env prod --key my-minio-sse-s3-key --write /etc/default/minio",
        ),
        ("Restart every node, and know that each did", "mcpy admin service restart prod"),
        ("Try the default key", "mcpy admin kms key status prod"),
    ),
    "mcpy kes": (
        ("Make a key, unless it is there", "mcpy kes key create --if-missing backup-key"),
        ("Which identity does the server see?", "mcpy kes identity of root.cert"),
        ("Use the KES of an alias", "mcpy kes status --alias prod"),
        (
            "Delete a key, after looking for what needs it",
            "mcpy kes key rm --impact-on prod old-key",
        ),
    ),
    "mcpy mb": (("With versions and object lock", "mcpy mb --with-lock prod/audit"),),
    "mcpy rb": (("With everything in it", "mcpy rb --force prod/old"),),
    "mcpy ls": (
        ("Everything below a prefix, and the sums", "mcpy ls -r --summarize prod/backups/2026/"),
    ),
    "mcpy stat": (("Is this object encrypted?", "mcpy --json stat prod/backups/db.dump"),),
    "mcpy cp": (
        ("Upload encrypted by SSE-S3", "mcpy cp --enc-s3 prod/backups db.dump prod/backups/"),
        (
            "Upload encrypted by a key of its own",
            "mcpy cp --enc-kms prod/backups=finance-key db.dump prod/backups/",
        ),
        ("Download", "mcpy cp prod/backups/db.dump ."),
    ),
    "mcpy cat": (("Into another program", "mcpy cat prod/backups/notes.txt"),),
    "mcpy rm": (("Whether it is there or not", "mcpy rm --force prod/backups/db.dump"),),
    "mcpy doctor": (
        ("Which link between a server and its keys is broken?", "mcpy doctor prod"),
        ("Why can this object not be read?", "mcpy doctor prod/backups/db.dump"),
        ("In a monitor, as JSON", "mcpy --json doctor prod --timeout 20s"),
    ),
    "mcpy ready": (("Wait for a server that is starting", "mcpy ready --timeout 2m prod"),),
    "mcpy sandbox": (
        ("Start one, go on working", "mcpy sandbox start --detach"),
        ("Where does it listen?", "mcpy sandbox status"),
        ("Stop it; its folder stays", "mcpy sandbox stop"),
        ("See how a script fares on another server", "mcpy sandbox start -d --like seaweedfs"),
        ("Reset every tenth upload", "mcpy sandbox fault reset@PUT:0.1"),
    ),
    "mcpy quickstart": (("See the whole job done on a sandbox", "mcpy quickstart"),),
}
