"""Images from the archives of the surveys, over HTTP.

`services` describes the services as data; `limits` and `http` ask them with good manners and patience;
`first`, `skyview`, `irsa` and `hips2fits` speak their protocols; `verify` looks at what comes before
anything is kept; `source` makes an image source of all that; `check` asks the real services for a
handful of positions.
"""
