# Prints what fish offers for each of the lines $argv[2]…, with the completion in the file $argv[1]: "<one><two>", a line for each.
source $argv[1]
for line in $argv[2..-1]
    for word in (complete -C $line)
        # Without the description; with "--flag=value" the flag is repeated.
        echo -n "<"(string replace -r '^--\w+=' '' -- (string split \t -- $word)[1])">"
    end
    echo
end
